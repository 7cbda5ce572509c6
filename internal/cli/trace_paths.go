package cli

import (
	"os"
	"path/filepath"
	"strconv"

	"farcall"
	"farcall/decode"
	"farcall/event"
	"farcall/internal/cmdline"
	"farcall/syscalls"
)

// A pathFilter chooses the calls that are about certain files (-P) or descriptors (--trace-fds).
type pathFilter struct {
	paths map[string]bool
	fds   *cmdline.NumberSet
	byFD  bool // descriptors have to be looked up for the sake of paths
}

// newPathFilter resolves the paths of -P: what a symbolic link leads to counts too.
func newPathFilter(o *cmdline.Options, say func(string)) *pathFilter {
	p := &pathFilter{paths: map[string]bool{}, fds: o.TraceFDs, byFD: len(o.Paths) > 0}
	for _, path := range o.Paths {
		p.paths[path] = true
		real, err := filepath.EvalSymlinks(path)
		if err == nil {
			real, err = filepath.Abs(real)
		}
		if err != nil || real == path || p.paths[real] {
			continue
		}
		p.paths[real] = true
		if !o.Quiet.Has(cmdline.QuietPathResolution) {
			quote := func(s string) string { return string((&event.Style{}).AppendQuoted(nil, []byte(s))) }
			say("Requested path " + quote(path) + " resolved into " + quote(real))
		}
	}
	return p
}

// match tells whether a call at its entry is about one of the files.
func (p *pathFilter) match(t *farcall.Task, c *decode.Call) bool {
	return p.any(t, c.Args[:c.Ready])
}

func (p *pathFilter) any(t *farcall.Task, vs []decode.Value) bool {
	for i := range vs {
		v := &vs[i]
		if v.State == decode.Absent || v.Type == nil {
			continue
		}
		switch v.Type.Kind {
		case syscalls.KindPath:
			if p.paths[string(v.Bytes)] {
				return true
			}
		case syscalls.KindFD, syscalls.KindDirFD:
			if p.descriptor(t, int(int32(v.Num))) {
				return true
			}
		default:
			if len(v.Sub) > 0 && p.any(t, v.Sub) {
				return true
			}
		}
	}
	return false
}

func (p *pathFilter) descriptor(t *farcall.Task, fd int) bool {
	if p.fds != nil && fd >= 0 && p.fds.Has(fd) {
		return true
	}
	if !p.byFD || fd < 0 {
		return false
	}
	path, err := os.Readlink("/proc/" + strconv.Itoa(t.TID) + "/fd/" + strconv.Itoa(fd))
	return err == nil && p.paths[path]
}
