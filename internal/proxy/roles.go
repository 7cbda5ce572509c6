package proxy

import (
	"sync"

	"farcall/syscalls"
)

// Roles say which arguments of a call decide where it is executed.
type roles struct {
	paths []pathRole
	fds   []int // registers with descriptors
}

// A pathRole is a path, and the descriptor that it is relative to.
type pathRole struct {
	dir  int // register, -1: the working directory
	path int // register
}

// texts are arguments that the descriptions show as paths, but that name no file when the call is made.
var texts = map[string]int{"symlink": 0, "symlinkat": 0, "mount": 0, "fsconfig": 2, "swapon": -1}

var rolesCache sync.Map // *syscalls.Call to *roles

// rolesOf finds them in the call's description.
func rolesOf(d *syscalls.Call, abi syscalls.ABI) *roles {
	if r, ok := rolesCache.Load(d); ok {
		return r.(*roles)
	}
	r := new(roles)
	dir := -1
	text, hasText := texts[d.Name]
	for i := range d.Args {
		a := &d.Args[i]
		reg := a.Register(abi)
		switch a.Type.Kind {
		case syscalls.KindDirFD:
			if dir >= 0 {
				r.fds = append(r.fds, dir)
			}
			dir = reg
			continue
		case syscalls.KindFD:
			if a.Type.Dir == 0 {
				r.fds = append(r.fds, reg)
			}
		case syscalls.KindPath:
			if a.Type.Dir == syscalls.In && !(hasText && text == i) {
				r.paths = append(r.paths, pathRole{dir, reg})
				dir = -1
			}
		}
	}
	if dir >= 0 {
		r.fds = append(r.fds, dir)
	}
	rolesCache.Store(d, r)
	return r
}
