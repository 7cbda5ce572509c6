package proxy

import (
	"encoding/binary"
	"strconv"
	"strings"

	"farcall/internal/linux"
	"farcall/internal/proxy/view"

	"golang.org/x/sys/unix"
)

// spot are calls that are answered on the spot, or not at all; what they return tells whether they were.
var spot map[string]func(*request) bool

func init() { // its functions refer to it
	spot = map[string]func(*request) bool{
		"getcwd":    (*request).getcwd,
		"uname":     (*request).uname,
		"getuid":    func(q *request) bool { return q.identity(q.conn.Welcome().UID) },
		"geteuid":   func(q *request) bool { return q.identity(q.conn.Welcome().UID) },
		"getgid":    func(q *request) bool { return q.identity(q.conn.Welcome().GID) },
		"getegid":   func(q *request) bool { return q.identity(q.conn.Welcome().GID) },
		"getresuid": func(q *request) bool { return q.identities(q.conn.Welcome().UID) },
		"getresgid": func(q *request) bool { return q.identities(q.conn.Welcome().GID) },
		"getgroups": (*request).groups,
		"readlink":  (*request).readlink, "readlinkat": (*request).readlink,
		"msync": func(*request) bool { return false }, // see mapping
		// A ring's calls would be made by the kernel, unseen. Programs have to be able to do without.
		"io_uring_setup": func(q *request) bool { q.fault(unix.ENOSYS); return true },
		"io_setup":       func(q *request) bool { q.fault(unix.ENOSYS); return true }, // io_submit(2) has descriptors in structures
	}
}

// whoAmI are those that tell of a host and a user.
var whoAmI = map[string]bool{
	"uname": true, "getuid": true, "geteuid": true, "getgid": true, "getegid": true, "getresuid": true, "getresgid": true, "getgroups": true,
}

// put writes an answer into the program's memory.
func (q *request) put(addr uint64, b []byte) bool {
	if _, err := q.Write(addr, b); err != nil {
		q.fault(unix.EFAULT)
		return false
	}
	return true
}

func (q *request) getcwd() bool {
	d := q.dirs.of(procLink(q.TID(), "cwd"))
	if d == nil {
		return false
	}
	b := append([]byte(q.opts.View.Near(d.path)), 0)
	switch {
	case uint64(len(b)) > q.args[1]:
		q.fault(unix.ERANGE)
	case q.put(q.args[0], b):
		q.answer(int64(len(b)))
	}
	return true
}

func (q *request) uname() bool {
	if q.opts.Local {
		return false
	}
	const field = 65 // struct new_utsname, linux/utsname.h
	var b [6 * field]byte
	for i, s := range q.conn.Welcome().Uname {
		copy(b[i*field:(i+1)*field-1], s)
	}
	if q.put(q.args[0], b[:]) {
		q.answer(0)
	}
	return true
}

// isServer tells whether the program is to have the server's identity: not once it has taken on another one itself.
func (q *request) isServer() bool {
	return !q.opts.Local && credentialsOf(q.TID()) == q.credentials
}

// credentials are the ids of a process.
type credentials struct {
	uid, gid linux.IDs
	groups   string
}

// credentialsOf reads them; those of a process that is gone are nobody's.
func credentialsOf(tid int) credentials {
	st, err := linux.ReadStatus(tid)
	if err != nil {
		return credentials{groups: "gone"}
	}
	return credentials{st.UID, st.GID, st.Groups}
}

func (q *request) identity(id uint32) bool {
	if !q.isServer() {
		return false
	}
	q.answer(int64(id))
	return true
}

func (q *request) identities(id uint32) bool {
	if !q.isServer() {
		return false
	}
	b := binary.NativeEndian.AppendUint32(nil, id)
	for _, addr := range q.args[:3] {
		if !q.put(addr, b) {
			return true
		}
	}
	q.answer(0)
	return true
}

func (q *request) groups() bool {
	if !q.isServer() {
		return false
	}
	groups := q.conn.Welcome().Groups
	room := int32(q.args[0])
	switch {
	case room < 0 || room > 0 && int(room) < len(groups):
		q.fault(unix.EINVAL)
		return true
	case room > 0:
		var b []byte
		for _, g := range groups {
			b = binary.NativeEndian.AppendUint32(b, g)
		}
		if !q.put(q.args[1], b) {
			return true
		}
	}
	q.answer(int64(len(groups)))
	return true
}

// socketPath is the server's name of a unix socket whose path, in a struct sockaddr_un, is there; ok is false for others.
func (q *request) socketPath(addr []byte) (far string, ok bool) {
	if len(addr) < 3 || addr[2] == 0 {
		return "", false
	}
	name := unix.ByteSliceToString(addr[2:])
	if name[0] != '/' {
		base := q.baseOf(-1)
		at := base.path
		if base.remote {
			at = q.opts.View.Near(at)
		}
		name = view.Join(at, name)
	}
	if view.Below(name, q.temp) || q.elsewhere {
		return "", false
	}
	side, far := q.leads(name)
	switch side {
	case view.LocalThenRemote:
		ok = unix.Access(name, unix.F_OK) != nil
	case view.Local:
	default:
		ok = true
	}
	return far, ok
}

// readlink answers what /proc says about a stand-in or a stub, as if they were what they stand for.
func (q *request) readlink() bool {
	addr, buf, room := q.args[0], q.args[1], q.args[2]
	if q.name == "readlinkat" {
		addr, buf, room = q.args[1], q.args[2], q.args[3]
	}
	name, err := q.readPath(addr)
	if err != nil {
		return false
	}
	rest, ok := strings.CutPrefix(name, "/proc/")
	if !ok {
		return false
	}
	who, what, _ := strings.Cut(rest, "/")
	tid := q.TID()
	if who != "self" && who != "thread-self" {
		if tid, err = strconv.Atoi(who); err != nil {
			return false
		}
	}
	if what != "cwd" && !strings.HasPrefix(what, "fd/") {
		return false
	}
	link := procLink(tid, what)
	target := q.nearOf(link)
	if target == link || int(room) <= 0 {
		return false
	}
	b := []byte(target)[:min(len(target), int(room))]
	if q.put(buf, b) {
		q.answer(int64(len(b)))
	}
	return true
}
