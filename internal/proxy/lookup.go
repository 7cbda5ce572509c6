package proxy

import (
	"encoding/binary"
	"path"
	"strings"

	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// A question is a call that only asks about a name, and so can be answered from what is known.
type question struct {
	follow func(args *[6]uint64) bool
	answer func(q *request, k *known) bool // false: it is not known enough
}

func yes(*[6]uint64) bool { return true }

func no(*[6]uint64) bool { return false }

// unless tells whether a flag is not set in an argument.
func unless(reg int, flag uint64) func(*[6]uint64) bool {
	return func(args *[6]uint64) bool { return args[reg]&flag == 0 }
}

const nofollow = unix.AT_SYMLINK_NOFOLLOW

var questions = map[string]question{
	"stat":       {yes, statAnswer(1)},
	"lstat":      {no, statAnswer(1)},
	"newfstatat": {unless(3, nofollow), statAnswer(2)},
	"statx":      {unless(2, nofollow), statxAnswer},
	"access":     {yes, accessAnswer(1)},
	"faccessat":  {yes, accessAnswer(2)},
	"faccessat2": {unless(3, nofollow), accessAnswer(2)},
	"readlink":   {no, linkAnswer(1)},
	"readlinkat": {no, linkAnswer(2)},
	"getxattr":   {yes, xattrAnswer(-int64(unix.ENODATA))},
	"lgetxattr":  {no, xattrAnswer(-int64(unix.ENODATA))},
	"listxattr":  {yes, xattrAnswer(0)},
	"llistxattr": {no, xattrAnswer(0)},
	"open":       {yes, absentOnly},
	"openat":     {yes, absentOnly},
	"execve":     {yes, absentOnly},
	"chdir":      {yes, absentOnly},
}

func statAnswer(buf int) func(*request, *known) bool {
	return func(q *request, k *known) bool {
		if q.put(q.args[buf], toStat(k.statx)) {
			q.answer(0)
		}
		return true
	}
}

func statxAnswer(q *request, k *known) bool {
	if q.args[2]&unix.AT_STATX_FORCE_SYNC != 0 {
		return false
	}
	if q.put(q.args[4], k.statx) {
		q.answer(0)
	}
	return true
}

func accessAnswer(reg int) func(*request, *known) bool {
	return func(q *request, k *known) bool {
		const execute = 1
		mode := q.args[reg]
		root := q.conn.Welcome().UID == 0
		if mode != 0 && !(root && (mode&execute == 0 || statxOf(k.statx).Mode&0o111 != 0)) {
			return false
		}
		q.answer(0)
		return true
	}
}

func linkAnswer(buf int) func(*request, *known) bool {
	return func(q *request, k *known) bool {
		if !k.listed || statxOf(k.statx).Mode&unix.S_IFMT != unix.S_IFLNK {
			return false
		}
		b := []byte(k.target)[:min(uint64(len(k.target)), q.args[buf+1])]
		if len(b) > 0 && q.put(q.args[buf], b) {
			q.answer(int64(len(b)))
		}
		return len(b) > 0
	}
}

func xattrAnswer(v int64) func(*request, *known) bool {
	return func(q *request, k *known) bool {
		if !k.listed || !k.noXattrs || strings.HasSuffix(q.name, "getxattr") && !q.wellNamed() {
			return false
		}
		q.answer(v)
		return true
	}
}

// wellNamed tells whether the name of an extended attribute is one that can exist: the kernel looks at that first.
func (q *request) wellNamed() bool {
	name, err := q.readPath(q.args[1])
	if err != nil || len(name) > 255 { // XATTR_NAME_MAX, linux/limits.h
		return false
	}
	switch class, rest, _ := strings.Cut(name, "."); class {
	case "user", "security":
		return rest != ""
	case "system":
		return rest == "posix_acl_access" || rest == "posix_acl_default"
	}
	return false
}

// absentOnly leaves it to the server unless there is no such file.
func absentOnly(*request, *known) bool { return false }

// argumentBits are arguments of generic calls that are looked at before the path is.
var argumentBits = map[string]struct {
	arg   int
	known uint64
}{
	"faccessat": {2, 7}, "faccessat2": {2, 7}, "statx": {2, nofollow | unix.AT_EMPTY_PATH | unix.AT_NO_AUTOMOUNT | unix.AT_STATX_FORCE_SYNC | unix.AT_STATX_DONT_SYNC},
}

// question is the question that a request is, if it is one, and the path that it asks about.
func (q *request) question() (ask question, name string, ok bool) {
	if len(q.places) != 1 || q.places[0].side != Remote || q.places[0].text == "" || q.cache.ttl == 0 {
		return ask, "", false
	}
	if q.places[0].through != nil {
		return ask, "", false
	}
	if b := q.places[0].base; b != nil && (b.closed || b.object != nil && !b.object.isDir()) {
		return ask, "", false
	}
	if ask, ok = questions[q.name]; !ok {
		return ask, "", false
	}
	f := formOf(q.name)
	if bits, ok := argumentBits[f.name]; ok && f.args[bits.arg].value(&q.args)&^bits.known != 0 { // the server finds that first
		return ask, "", false
	}
	if f.name == "readlinkat" && int32(f.args[3].value(&q.args)) <= 0 {
		return ask, "", false
	}
	if f.name == "openat" && f.args[2].value(&q.args)&(unix.O_CREAT|unix.O_NOFOLLOW) != 0 {
		return ask, "", false
	}
	return ask, q.places[0].absolute(), true
}

// fromCache answers a request from what is known.
func (q *request) fromCache() bool {
	ask, name, ok := q.question()
	if !ok {
		return false
	}
	k := q.cache.look(name, ask.follow(&q.args))
	switch {
	case k == nil:
		return false
	case k.errno != 0:
		if q.places[0].orHere {
			return false
		}
		q.fault(k.errno)
		return true
	}
	return ask.answer(q, k)
}

// askDirectory is called before the server is asked about a name. If programs go on asking about names of the same directory, the whole
// directory is asked for, which answers the next questions too. It tells whether that has answered this one.
func (q *request) askDirectory() bool {
	_, name, ok := q.question()
	if !ok || !plain(name) || name == "/" || !q.cache.missed(path.Dir(name)) {
		return false
	}
	dir := path.Dir(name)
	turn := q.cache.now()
	l, err := q.conn.ListX(&wire.ListX{Dir: wire.CWD, Path: dir, Max: maxAsk})
	if err != nil || l.Ret != 0 { // the question itself will tell why
		return false
	}
	q.cache.list(turn, []string{dir}, l.Entries)
	return q.fromCache()
}

// How many entries of a directory are asked for with their attributes: of one that a program reads, and of one in which it only looks for
// names.
const (
	maxRead = 10000
	maxAsk  = 2000
)

// learned remembers what the server said about a name.
func (q *request) learned(turn uint64, ret int64, statx []byte) {
	ask, name, ok := q.question()
	if !ok {
		return
	}
	switch {
	case ret == -int64(unix.ENOENT): // not ENOTDIR, which may be about what the call wanted of the file
		q.cache.learn(turn, name, ask.follow(&q.args), known{errno: unix.ENOENT})
	case ret == 0 && statx != nil:
		q.cache.learn(turn, name, ask.follow(&q.args), known{statx: statx})
	}
}

// readDir answers getdents64(2) from a directory that was asked for as a whole, with the attributes that programs ask for next.
func readDir(q *request) {
	o := q.objs[0]
	if q.cache.ttl == 0 || !o.isDir() || o.flags&unix.O_PATH != 0 {
		carry(q)
		return
	}
	if listed, err := q.listObject(o); err != nil {
		q.result(0, err)
		return
	} else if !listed {
		carry(q)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	b, n := dirents(o.entries[o.at:], int(min(q.args[2], 1<<20)))
	if n == 0 && o.at < len(o.entries) { // not room for one
		q.result(-int64(unix.EINVAL), nil)
		return
	}
	if _, err := q.Write(q.args[1], b); err != nil {
		q.result(-int64(unix.EFAULT), nil)
		return
	}
	o.at += n
	q.result(int64(len(b)), nil)
}

// listObject sees to it that a directory's entries are here; false if there are too many, so that it has to be read piece by piece.
func (q *request) listObject(o *object) (listed bool, err error) {
	o.mu.Lock()
	listed, large := o.entries != nil, o.large
	o.mu.Unlock()
	if listed || large {
		return listed, nil
	}
	h, err := q.handle(o)
	if err != nil {
		return false, err
	}
	turn := q.cache.now()
	l, err := q.conn.ListX(&wire.ListX{Dir: h, Max: maxRead})
	if err != nil {
		return false, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if l.Ret != 0 {
		o.large = true
		return false, nil
	}
	o.entries, o.at = l.Entries, 0
	q.cache.list(turn, []string{o.path}, l.Entries)
	return true, nil
}

// dirents makes struct linux_dirent64 (getdents64(2)) of entries, as many as fit into room bytes.
func dirents(entries []wire.Entry, room int) (b []byte, n int) {
	const head = 19 // offset of d_name
	for i := range entries {
		e := &entries[i]
		size := (head + len(e.Name) + 1 + 7) &^ 7
		if len(b)+size > room {
			break
		}
		at := len(b)
		b = append(b, make([]byte, size)...)
		binary.NativeEndian.PutUint64(b[at:], e.Ino)
		binary.NativeEndian.PutUint64(b[at+8:], uint64(e.Off))
		binary.NativeEndian.PutUint16(b[at+16:], uint16(size))
		b[at+18] = e.Type
		copy(b[at+head:], e.Name)
		n++
	}
	return b, n
}

// seekDir moves the position in a directory whose entries are here: to its beginning, where it is read anew, or behind an entry.
func (q *request) seekDir() bool {
	o := q.objs[0]
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.entries == nil {
		return false
	}
	off, whence := int64(q.args[1]), q.args[2]
	switch {
	case whence == unix.SEEK_SET && off == 0:
		o.entries, o.at = nil, 0
		q.answer(0)
		return true
	case whence == unix.SEEK_SET:
		for i := range o.entries {
			if o.entries[i].Off == off {
				o.at = i + 1
				q.answer(off)
				return true
			}
		}
	case whence == unix.SEEK_CUR && off == 0:
		pos := int64(0)
		if o.at > 0 {
			pos = o.entries[o.at-1].Off
		}
		q.answer(pos)
		return true
	}
	q.fault(unix.EINVAL)
	return true
}
