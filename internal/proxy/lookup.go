package proxy

import (
	"encoding/binary"
	"path"
	"strings"
	"time"

	"farcall/internal/proxy/attr"
	"farcall/internal/proxy/cache"
	"farcall/internal/proxy/view"
	"farcall/remote/client"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// A question is a call that only asks about a name, and so can be answered from what is known.
type question struct {
	follow func(args *[6]uint64) bool
	answer func(q *request, k *cache.Known) bool // false: it is not known enough
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
	"open":       {unless(1, unix.O_NOFOLLOW), openKnown},
	"openat":     {unless(2, unix.O_NOFOLLOW), openKnown},
	"statfs":     {yes, absentOnly},
	"execve":     {yes, absentOnly},
	"chdir":      {yes, absentOnly},
}

func statAnswer(buf int) func(*request, *cache.Known) bool {
	return func(q *request, k *cache.Known) bool {
		if q.put(q.args[buf], attr.ToStat(k.Statx)) {
			q.answer(0)
		}
		return true
	}
}

func statxAnswer(q *request, k *cache.Known) bool {
	if q.args[2]&unix.AT_STATX_FORCE_SYNC != 0 {
		return false
	}
	if q.put(q.args[4], k.Statx) {
		q.answer(0)
	}
	return true
}

func accessAnswer(reg int) func(*request, *cache.Known) bool {
	return func(q *request, k *cache.Known) bool {
		const execute = 1
		mode := q.args[reg]
		root := q.conn.Welcome().UID == 0
		if mode != 0 && !(root && (mode&execute == 0 || attr.Statx(k.Statx).Mode&0o111 != 0)) {
			return false
		}
		q.answer(0)
		return true
	}
}

func linkAnswer(buf int) func(*request, *cache.Known) bool {
	return func(q *request, k *cache.Known) bool {
		if cache.ModeOf(k.Statx) != unix.S_IFLNK {
			q.fault(unix.EINVAL)
			return true
		}
		if k.From == "" {
			return false
		}
		b := []byte(k.Target)[:min(uint64(len(k.Target)), q.args[buf+1])]
		if len(b) > 0 && q.put(q.args[buf], b) {
			q.answer(int64(len(b)))
		}
		return len(b) > 0
	}
}

func xattrAnswer(v int64) func(*request, *cache.Known) bool {
	return func(q *request, k *cache.Known) bool {
		if !k.NoXattrs || strings.HasSuffix(q.name, "getxattr") && !q.wellNamed() {
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
func absentOnly(*request, *cache.Known) bool { return false }

// argumentBits are arguments of generic calls that are looked at before the path is.
var argumentBits = map[string]struct {
	arg   int
	known uint64
}{
	"faccessat": {2, 7}, "faccessat2": {2, 7}, "statx": {2, nofollow | unix.AT_EMPTY_PATH | unix.AT_NO_AUTOMOUNT | unix.AT_STATX_FORCE_SYNC | unix.AT_STATX_DONT_SYNC},
}

// question is the question that a request is, if it is one, and the path that it asks about.
func (q *request) question() (ask question, name string, ok bool) {
	if len(q.places) != 1 || q.places[0].side != view.Remote || q.places[0].text == "" || !q.cache.Keeps() {
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
	if f.name == "openat" && f.args[2].value(&q.args)&(unix.O_CREAT|unix.O_TMPFILE&^unix.O_DIRECTORY) != 0 {
		return ask, "", false
	}
	if q.slash() { // what it leads to, which has to be a directory
		ask.follow = yes
	}
	return ask, q.asked(), true
}

// asked is the path that the request is about, without slashes at its end.
func (q *request) asked() string {
	name := q.places[0].absolute()
	if q.slash() {
		name = strings.TrimRight(name, "/")
	}
	return name
}

// slash tells whether the path ends in a slash, and is not the root directory.
func (q *request) slash() bool {
	text := q.places[0].text
	return strings.HasSuffix(text, "/") && strings.Trim(text, "/") != ""
}

// fromCache answers a request from what is known.
func (q *request) fromCache() bool {
	ask, name, ok := q.question()
	if !ok {
		return false
	}
	k := q.cache.Look(name, ask.follow(&q.args))
	switch {
	case k == nil:
		return false
	case k.Errno != 0:
		if q.places[0].orHere {
			return false
		}
		q.fault(k.Errno)
		return true
	case q.slash() && cache.ModeOf(k.Statx) != unix.S_IFDIR:
		return false
	}
	return ask.answer(q, k)
}

// How many entries of a directory are asked for with their attributes: of one that a program reads, and of one in which it only looks for
// names. And how many entries may come of directories below.
const (
	maxRead = 10000
	maxAsk  = 2000
	subtree = 1000
)

// riders are requests that nobody waits for, sent together with one that somebody does.
type riders struct {
	client.Batch
	learn []func()
}

// list asks for a directory too.
func (r *riders) list(c *cache.Cache, turn uint64, l *wire.ListX) *wire.Listed {
	listed := r.ListX(l)
	r.learn = append(r.learn, func() {
		for i := range listed.Dirs {
			c.List(turn, &listed.Dirs[i])
		}
	})
	return listed
}

// look asks for a file too: its attributes, and its content if it is small.
func (r *riders) look(c *cache.Cache, turn uint64, o *wire.OpenX, asked string) *wire.Opened {
	opened := r.OpenX(o)
	r.learn = append(r.learn, func() { c.Opened(turn, asked, o.Flags&wire.OpenNoFollow == 0, opened, true) })
	return opened
}

// send sends them all, and learns from the answers.
func (r *riders) send(q *request) error {
	err := q.conn.DoBatch(&r.Batch)
	if err == nil {
		for _, f := range r.learn {
			f()
		}
	}
	return err
}

// withDirectory adds the directory of a name that is being asked about, if programs go on asking about its names: it answers the next
// questions.
func (q *request) withDirectory(r *riders, turn uint64, name string) {
	if !cache.Plain(name) || name == "/" || !q.opts.Savers.Has(cache.SaveLists) {
		return
	}
	if dir := path.Dir(name); q.cache.Missed(dir) {
		q.cache.Profile.Note(cache.UseEntries, dir, 0)
		r.list(q.cache, turn, &wire.ListX{Dir: wire.CWD, Path: dir, Max: maxAsk, Described: maxAsk, Budget: subtree})
	}
}

// askDirectory is called before the server is asked about a name. It may ask for the directory, and tells whether that has answered it.
func (q *request) askDirectory() bool {
	_, name, ok := q.question()
	if !ok || formOf(q.name).name == "openat" { // which sends both together
		return false
	}
	var r riders
	q.withDirectory(&r, q.cache.Now(), name)
	if r.Len() == 0 || r.send(q) != nil { // the question itself will tell why
		return false
	}
	return q.fromCache()
}

// statMask is what the server tells of a file.
const statMask = unix.STATX_BASIC_STATS | unix.STATX_BTIME

// askAttributes asks for a file's attributes as a look at it, which tells more than statx(2): whether there are links in the name, and whether the
// answer can be kept. It tells whether it has answered.
func (q *request) askAttributes() bool {
	ask, name, ok := q.question()
	if !ok || !cache.Plain(name) || q.slash() {
		return false
	}
	switch formOf(q.name).name {
	case "statx":
		if q.name == "statx" && (q.args[3]&^statMask != 0 || q.args[2]&unix.AT_STATX_FORCE_SYNC != 0) {
			return false
		}
	case "faccessat", "faccessat2":
		if q.conn.Welcome().UID != 0 { // its answer is not in the attributes
			return false
		}
	default:
		return false
	}
	p := &q.places[0]
	dir, err := q.dir(p)
	if err != nil {
		q.result(0, err)
		return true
	}
	follow := ask.follow(&q.args)
	flags := uint32(unix.O_PATH)
	if !follow {
		flags |= wire.OpenNoFollow
	}
	turn := q.cache.Now()
	var r riders
	got := r.look(q.cache, turn, &wire.OpenX{Dir: dir, Path: p.far, Flags: flags, Want: wire.WantClosed}, name)
	q.withDirectory(&r, turn, name)
	q.cache.Profile.Note(cache.UseOf(follow), name, 0)
	if err := r.send(q); err != nil {
		q.result(0, err)
		return true
	}
	switch {
	case got.Ret == -int64(unix.ENOENT) && p.orHere:
		q.here()
		return true
	case got.Ret == -int64(unix.ENOENT), got.Ret == -int64(unix.ENOTDIR), got.Ret == -int64(unix.ENAMETOOLONG):
		q.counts.remote.Add(1)
		q.result(got.Ret, nil)
		return true
	case got.Ret < 0: // nothing of the file's, perhaps
		return false
	}
	q.debug("%d %s%s: looked at", q.TID(), q.name, q.placesText())
	return ask.answer(q, &cache.Known{Statx: got.Statx, NoXattrs: got.Bare})
}

// learned remembers what the server said about a name.
func (q *request) learned(turn uint64, ret int64, statx []byte) {
	ask, name, ok := q.question()
	if !ok {
		return
	}
	follow := ask.follow(&q.args)
	q.cache.Profile.Note(cache.UseOf(follow), name, 0)
	switch {
	case ret == -int64(unix.ENOENT): // not ENOTDIR, which may be about what the call wanted of the file
		q.cache.Learn(turn, name, follow, cache.Known{Belief: q.cache.BeliefOf(turn, false), Errno: unix.ENOENT})
	case ret == 0 && statx != nil:
		q.cache.Learn(turn, name, follow, cache.Known{Belief: q.cache.BeliefOf(turn, false), Statx: statx})
	}
}

// openKnown opens what is known as a whole: a file with its content, a directory with its entries.
func openKnown(q *request, k *cache.Known) bool {
	reg := 2
	if q.name == "open" {
		reg = 1
	}
	const harmless = unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY | wire.OpenDirectory | wire.OpenNoFollow | wire.OpenLargeFile
	native := uint32(q.args[reg])
	flags := wire.OpenFlags(nativeABI, native, true)
	if flags&^harmless != 0 || !q.opts.Savers.Has(cache.SaveContents) {
		return false
	}
	name := q.asked()
	o := &object{path: name, flags: flags &^ unix.O_CLOEXEC, opened: time.Now(), turn: q.cache.Now(), pid: processOf(q.TID())}
	var data []byte
	switch cache.ModeOf(k.Statx) {
	case unix.S_IFREG:
		f := q.cache.File(name)
		if f == nil || native&unix.O_DIRECTORY != 0 {
			return false
		}
		q.cache.Profile.Note(cache.UseContent, name, len(f.Data))
		q.cache.Follow(name)
		o.statx, o.turn, data = f.Statx, f.Turn, f.Data
		q.fill(o)
	case unix.S_IFDIR:
		entries, statx, _ := q.cache.Directory(name)
		if entries == nil {
			return false
		}
		o.statx, o.entries = statx, entries
	default:
		return false
	}
	q.openBehind(o)
	q.debug("%d %s%s: opened as it is known", q.TID(), q.name, q.placesText())
	q.counts.answered.Add(1)
	q.installObject(o, data, native&unix.O_CLOEXEC != 0)
	return true
}

// openBehind has the server open a file that the program has open already: for what is asked about it later, wherever it is by then.
func (q *request) openBehind(o *object) {
	o.opening = make(chan struct{})
	p := q.Proxy
	err := p.conn.OpenBehind(&wire.OpenX{Dir: wire.CWD, Path: o.path, Flags: o.flags}, func(r *wire.Opened, err error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		defer close(o.opening)
		if err != nil || r.Ret < 0 {
			return // who needs the handle is told
		}
		if o.dropped || attr.InodeOf(r.Statx) != attr.InodeOf(o.statx) {
			p.conn.CloseHandle(uint32(r.Ret))
			return
		}
		o.handle, o.held = uint32(r.Ret), true
	})
	if err != nil {
		close(o.opening)
	}
}

// readDir answers getdents64(2) from a directory that was asked for as a whole, with the attributes that programs ask for next.
func readDir(q *request) {
	o := q.objs[0]
	if !q.cache.Keeps() || !o.isDir() || o.flags&unix.O_PATH != 0 {
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
	q.giveEntries(o)
}

// giveEntries answers getdents64(2) of a directory whose entries are here.
func (q *request) giveEntries(o *object) {
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
	listed, large, rewound := o.entries != nil, o.large, o.rewound
	o.mu.Unlock()
	if listed || large {
		return listed, nil
	}
	if entries, statx, leased := q.cache.Directory(o.path); entries != nil && attr.InodeOf(statx) == attr.InodeOf(o.statx) && (leased || !rewound) {
		o.mu.Lock()
		o.entries, o.at = entries, 0
		o.mu.Unlock()
		return true, nil
	}
	h, err := q.handle(o)
	if err != nil {
		return false, err
	}
	ask := &wire.ListX{Dir: h, Max: maxRead, Described: maxRead}
	if q.opts.Savers.Has(cache.SaveLists) {
		ask.Budget = subtree
	}
	var r riders
	l := r.list(q.cache, q.cache.Now(), ask)
	if err := r.send(q); err != nil {
		return false, err
	}
	q.cache.Profile.Note(cache.UseEntries, o.path, 0)
	o.mu.Lock()
	defer o.mu.Unlock()
	if l.Ret != 0 {
		o.large = true
		return false, nil
	}
	o.entries, o.at = l.Dirs[0].Entries, 0
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

// seekDir moves the position in a directory whose entries are here: to its beginning, where it is read anew, or behind an entry. Where
// else a position can be only the server knows: the directory is read piece by piece from there.
func (q *request) seekDir() bool {
	o := q.objs[0]
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.entries == nil {
		return false
	}
	pos := int64(0)
	if o.at > 0 {
		pos = o.entries[o.at-1].Off
	}
	off, whence := int64(q.args[1]), q.args[2]
	switch {
	case whence == unix.SEEK_SET && off == 0:
		o.entries, o.at, o.rewound = nil, 0, true
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
		q.answer(pos)
		return true
	case whence == unix.SEEK_CUR:
		q.args[1], q.args[2] = uint64(pos+off), unix.SEEK_SET
	}
	o.entries, o.at, o.large = nil, 0, true
	return false
}
