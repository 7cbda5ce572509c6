package proxy

import (
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"farcall/internal/proxy/view"
	"farcall/remote/wire"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// A request is a call that is being decided about and answered.
type request struct {
	*Proxy
	Trap
	name      string
	nr        uint64
	args      [6]uint64
	desc      *syscalls.Call
	roles     *roles
	places    []place   // of roles.paths
	objs      []*object // of roles.fds
	open      []bool    // whether those are open
	space     wire.Space
	elsewhere bool // it is not one of those that are to be executed there

	statx uint64 // where in space the attributes come to

	after func(int64) int64 // makes the program's result of the server's, nil if it is the same
}

// A place is where a path among the arguments leads.
type place struct {
	role   pathRole
	text   string    // as the program has it
	null   bool      // it is NULL
	side   view.Side // Local or Remote, or Hide, or ReadOnly for a Remote one
	orHere bool      // if the server has no such file, it is this host's
	full   string    // the program's absolute name
	far    string    // remote: the server's name, relative to base if that is remote
	base   *base     // what text is relative to, nil if it is absolute

	through *object // text is a link in /proc that leads to what is open there
}

// A base is what a relative path is relative to.
type base struct {
	path   string // as the server knows it if remote, else as this host does
	remote bool
	closed bool       // the descriptor is not open
	object *object    // the descriptor's, if it is remote
	cwd    *directory // the working directory, if it is remote
}

var errFault = errors.New("not readable")

// readPath reads a path from the program's memory.
func (q *request) readPath(addr uint64) (string, error) {
	const page = 4096
	var s []byte
	for len(s) < unix.PathMax {
		at := addr + uint64(len(s))
		var buf [512]byte
		b := buf[:min(len(buf), int(page-at%page))]
		b = b[:q.Read(at, b)]
		if len(b) == 0 {
			return "", errFault
		}
		for i, c := range b {
			if c == 0 {
				return string(append(s, b[:i]...)), nil
			}
		}
		s = append(s, b...)
	}
	return "", unix.ENAMETOOLONG
}

// baseOf finds out what a descriptor, or the working directory, is.
func (q *request) baseOf(reg int) *base {
	fd := unix.AT_FDCWD
	if reg >= 0 {
		fd = int(int32(q.args[reg]))
	}
	if fd == unix.AT_FDCWD {
		link := procLink(q.TID(), "cwd")
		if d := q.dirs.of(link); d != nil {
			return &base{path: d.path, remote: true, cwd: d}
		}
		return &base{path: link}
	}
	if o := q.objects.of(q.TID(), fd); o != nil {
		return &base{path: o.path, remote: true, object: o}
	}
	link := procLink(q.TID(), fdLink(fd))
	return &base{path: link, closed: link == ""}
}

// dir is the handle of what the server's name of a place is relative to. Its error is handle's.
func (q *request) dir(p *place) (uint32, error) {
	switch {
	case p.through != nil:
		return q.handle(p.through)
	case p.base != nil && p.base.closed:
		return wire.NoHandle, nil
	case p.base == nil || !p.base.remote:
		return wire.CWD, nil
	case p.base.cwd != nil:
		return q.dirHandle(p.base.cwd)
	}
	return q.handle(p.base.object)
}

// locate decides about one path. Its error is what the kernel would say about the argument itself.
func (q *request) locate(role pathRole) (place, error) {
	p := place{role: role}
	addr := q.args[role.path]
	if p.null = addr == 0; !p.null {
		text, err := q.readPath(addr)
		if err != nil {
			return p, err
		}
		p.text = text
	}
	if strings.HasPrefix(p.text, "/") {
		p.full = p.text
	} else {
		p.base = q.baseOf(role.dir)
		if p.text == "" { // the descriptor itself, or an error
			if p.base.remote {
				p.side = view.Remote
			}
			return p, nil
		}
		if !path.IsAbs(p.base.path) { // a descriptor of no directory: the kernel knows what to say
			if p.base.remote {
				p.side = view.Remote
			}
			p.far = p.text
			return p, nil
		}
		at := p.base.path
		if p.base.remote {
			at = q.opts.View.Near(at)
		}
		p.full = view.Join(at, p.text)
	}
	if view.Below(p.full, q.temp) { // ours: stubs and copies of programs
		return p, nil
	}
	if o := q.throughProc(p.full); o != nil {
		p.side, p.far, p.base, p.through = view.Remote, o.path, nil, o
		return p, nil
	}
	var far string
	p.side, far = q.leads(p.full)
	switch p.side {
	case view.LocalThenRemote:
		p.side = view.Remote
		if unix.Access(p.full, unix.F_OK) == nil {
			p.side = view.Local
		}
	case view.RemoteThenLocal:
		p.side, p.orHere = view.Remote, true
	}
	if p.side == view.Remote && q.opts.ReadOnly {
		p.side = view.ReadOnly
	}
	if p.side != view.Remote && p.side != view.ReadOnly {
		return p, nil
	}
	if p.base != nil && p.base.remote {
		p.far = p.text
		return p, nil
	}
	// As the program has it, where possible: what .. means behind a link is known there only.
	if p.far = far; view.Below(p.full, q.opts.View.Prefix) || q.opts.View.Prefix == "" {
		p.far = "/" + strings.TrimLeft(strings.TrimPrefix(p.full, q.opts.View.Prefix), "/")
	}
	return p, nil
}

// absolute is the server's absolute name of a place, for calls that take no directory.
func (p *place) absolute() string {
	if p.base == nil || !p.base.remote || p.text == "" {
		return p.far
	}
	return view.Join(p.base.path, p.far)
}

// sides tells whether any part of the call is on the server, and local whether any is here.
func (q *request) sides() (remote, local bool) {
	for i := range q.places {
		p := &q.places[i]
		switch {
		case p.side == view.Remote || p.side == view.ReadOnly:
			remote = true
		case p.base == nil || !p.base.closed:
			local = true
		}
	}
	for i, o := range q.objs {
		switch {
		case o != nil:
			remote = true
		case q.open[i]:
			local = true
		}
	}
	return remote, local
}

// leads says where a path leads, and to what there, and tells who wants to know.
func (p *Proxy) leads(name string) (side view.Side, far string) {
	side, far, rule := p.opts.View.Place(name)
	if p.opts.Explain != nil {
		p.opts.Explain(name, side, rule)
	}
	return side, far
}

// misses tells whether one of the descriptors is not open.
func (q *request) misses() bool {
	for i := range q.open {
		if !q.open[i] {
			return true
		}
	}
	return false
}

// relativeToRemote tells whether a path is relative to a directory of the server.
func (q *request) relativeToRemote() bool {
	return slices.ContainsFunc(q.places, func(p place) bool { return p.base != nil && p.base.remote && p.text != "" })
}

// here has the kernel execute the call. A relative path whose directory is on the server is made absolute first.
func (q *request) here() {
	q.counts.local.Add(1)
	if !q.relativeToRemote() {
		q.Continue()
		return
	}
	q.debug("%d %s: here, with an absolute path", q.TID(), q.name)
	q.Redirect(func(put func([]byte) uint64) (uint64, [6]uint64) {
		args := q.args
		for i := range q.places {
			if p := &q.places[i]; p.base != nil && p.base.remote && p.text != "" {
				args[p.role.path] = put(append([]byte(p.full), 0))
			}
		}
		return q.nr, args
	})
}

// answer answers on the spot.
func (q *request) answer(v int64) {
	q.counts.answered.Add(1)
	q.Return(v)
}

func (q *request) fault(e unix.Errno) { q.answer(-int64(e)) }

// result answers with what came from the server, or with EIO because nothing did.
func (q *request) result(ret int64, err error) {
	if err != nil {
		if errno, ok := err.(unix.Errno); ok { // not one of the connection's, further inside
			q.Return(-int64(errno))
			return
		}
		q.fail(err)
		ret = -int64(unix.EIO)
	}
	q.debug("%d %s%s = %d", q.TID(), q.name, q.placesText(), ret)
	q.Return(ret)
}

func (q *request) placesText() string {
	var b strings.Builder
	for i := range q.places {
		b.WriteString(" " + q.places[i].full)
	}
	for _, o := range q.objs {
		if o != nil {
			b.WriteString(" <" + o.path + ">")
		}
	}
	return b.String()
}

// throughProc returns the object that a name such as /proc/self/fd/3 stands for, nil if it is another name or the call is about
// the link itself. The C library goes that way where a kernel lacks a call for descriptors.
func (q *request) throughProc(name string) *object {
	rest, ok := strings.CutPrefix(name, "/proc/")
	if !ok {
		if rest, ok = strings.CutPrefix(name, "/dev/fd/"); !ok {
			return nil
		}
		rest = "self/fd/" + rest
	}
	who, rest, _ := strings.Cut(rest, "/")
	num, ok := strings.CutPrefix(rest, "fd/")
	fd, err := strconv.Atoi(num)
	if !ok || err != nil || q.looksAtLink() {
		return nil
	}
	tid := q.TID()
	if who != "self" && who != "thread-self" {
		if tid, err = strconv.Atoi(who); err != nil {
			return nil
		}
	}
	return q.objects.of(tid, fd)
}

// looksAtLink tells whether the call does not follow a link that its path names.
func (q *request) looksAtLink() bool {
	switch q.name {
	case "readlink", "readlinkat", "lstat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "lchown", "lgetxattr", "lsetxattr", "llistxattr", "lremovexattr":
		return true
	case "link":
		return true
	case "linkat":
		return q.args[4]&unix.AT_SYMLINK_FOLLOW == 0
	case "newfstatat", "statx":
		return q.args[flagsReg(q.name)]&unix.AT_SYMLINK_NOFOLLOW != 0
	case "fchownat":
		return q.args[4]&unix.AT_SYMLINK_NOFOLLOW != 0
	case "utimensat", "fchmodat2", "faccessat2":
		return q.args[3]&unix.AT_SYMLINK_NOFOLLOW != 0
	}
	return false
}
