package proxy

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"farcall/internal/proxy/attr"
	"farcall/internal/proxy/view"
	"farcall/remote/wire"
	"farcall/syscalls"
	"farcall/syscalls/linux"

	"golang.org/x/sys/unix"
)

// Handle decides about a call and answers it, or returns the part of that which waits for the server, to be run anywhere.
func (p *Proxy) Handle(t Trap) (rest func()) { return p.decide(t, false) }

// decide is Handle; arrived tells that the call has waited for what was written.
func (p *Proxy) decide(t Trap, arrived bool) (rest func()) {
	abi, nr, args := t.Call()
	if p.opts.Events == nil && p.objects.none(abi, nr) && !p.network.Datagrams() {
		p.counts.local.Add(1)
		t.Continue()
		return nil
	}
	q := &request{Proxy: p, Trap: t, nr: nr, args: args}
	q.desc = linux.Describe(abi, q.nr)
	if abi != nativeABI || q.desc == nil {
		// Nothing is known about the call, so nothing says that it has no path in it.
		p.counts.denied.Add(1)
		p.debug("%d call %d of %v: not carried", t.TID(), q.nr, abi)
		t.Return(-int64(unix.ENOSYS))
		return nil
	}
	if p.opts.Events != nil {
		r := p.record(t, q.desc)
		t, q.Trap = r, r
		defer func() {
			if there := rest; there != nil {
				rest = func() {
					r.placement = placedRemote
					there()
				}
			}
		}()
	}
	q.name = q.desc.Name
	if !arrived {
		if rest := p.arrived(t, q.name); rest != nil {
			return rest
		}
	}
	q.elsewhere = !p.wanted(t, q.desc)
	q.desc = q.desc.Match(&q.args, false)
	q.roles = rolesOf(q.desc, nativeABI)
	q.space.Else = t
	if !q.elsewhere || q.name != "socket" {
		if rest, ok := p.network.Handle(socketCall{q}, q.name, nr, args); ok {
			return rest
		}
	}
	if q.name == "msync" && p.maps.live.Load() > 0 {
		return q.msync
	}
	if f := spot[q.name]; f != nil && !(q.elsewhere && whoAmI[q.name]) && f(q) {
		return nil
	}
	for _, r := range q.roles.paths {
		pl, err := q.locate(r)
		if err == errFault {
			q.Continue() // for the kernel's own EFAULT
			return nil
		}
		if err != nil {
			q.result(0, err)
			return nil
		}
		if q.elsewhere && pl.text != "" {
			pl.side, pl.orHere = view.Local, false
		}
		q.places = append(q.places, pl)
	}
	for _, r := range q.roles.fds {
		link := openLink(t.TID(), int(int32(q.args[r])))
		q.objs, q.open = append(q.objs, p.objects.named(link)), append(q.open, link != "")
	}
	for i := range q.places {
		if q.places[i].side == view.Hide {
			q.fault(unix.ENOENT)
			return nil
		}
	}
	remote, local := q.sides()
	if !remote && q.relativeToRemote() {
		return q.here // with other calls in its place, which arrive here
	}
	if !remote {
		q.here()
		return nil
	}
	if q.quick() || q.fromCache() {
		return nil
	}
	f := special[q.name]
	switch {
	case f != nil:
	case local:
		f = mixed
	default:
		f = carry
	}
	return func() {
		if q.askAttributes() || q.askDirectory() {
			return
		}
		p.counts.remote.Add(1)
		f(q)
	}
}

// onContent are the calls that the kernel can execute on a stand-in that has the file's content.
var onContent = map[string]bool{
	"read": true, "readv": true, "pread64": true, "preadv": true, "preadv2": true, "lseek": true, "mmap": true, "sendfile": true,
	"splice": true, "copy_file_range": true, "fadvise64": true, "readahead": true, "fsync": true, "fdatasync": true,
}

// onContentFails are those that fail on a file which was opened for reading, which is all that such a stand-in is for.
var onContentFails = map[string]unix.Errno{
	"write": unix.EBADF, "writev": unix.EBADF,
}

// quick answers what needs no server.
func (q *request) quick() bool {
	if len(q.places) > 0 || len(q.objs) == 0 {
		return q.quickStat()
	}
	o := q.objs[0]
	if q.byKernel() {
		q.counts.local.Add(1)
		q.Continue()
		return true
	}
	switch q.name {
	case "sendfile": // (out, in)
		o = q.objs[1]
		if q.objs[0] != nil {
			return false
		}
	case "splice", "copy_file_range": // (in, out)
		if len(q.objs) > 1 && q.objs[1] != nil {
			return false
		}
	case "fstat":
		return q.quickStat()
	case "lseek":
		if o != nil && q.seekDir() {
			return true
		}
		if q.args[2] > unix.SEEK_END {
			return false
		}
	}
	if o == nil || !o.filled.Load() {
		return false
	}
	if e := onContentFails[q.name]; e != 0 {
		q.fault(e)
		return true
	}
	if q.name == "preadv2" && q.args[5] != 0 { // flags that the file system knows, and a memfd may not
		q.emptied(0)
		return false
	}
	if q.name == "mmap" && q.args[3]&unix.MAP_TYPE != unix.MAP_PRIVATE {
		return false
	}
	if onContent[q.name] {
		q.counts.local.Add(1)
		q.Continue()
		return true
	}
	return false
}

// quickStat answers fstat of a file with what was said when it was opened.
func (q *request) quickStat() bool {
	var o *object
	buf := 0
	switch q.name {
	case "fstat":
		o, buf = q.objs[0], 1
	case "newfstatat":
		buf = 2
		fallthrough
	case "statx":
		if p := &q.places[0]; p.text == "" && p.base != nil && p.base.object != nil {
			o = p.base.object
		}
	}
	if o == nil || o.statx == nil || !q.stillTrue(o) || q.name != "fstat" && q.args[flagsReg(q.name)]&unix.AT_EMPTY_PATH == 0 {
		return false
	}
	b := o.statx
	if q.name == "statx" {
		buf = 4
	} else {
		b = attr.ToStat(b)
	}
	if _, err := q.Write(q.args[buf], b); err != nil {
		q.fault(unix.EFAULT)
		return true
	}
	q.answer(0)
	return true
}

// stillTrue tells whether an object's attributes are as they were when it was opened, as far as is known.
func (q *request) stillTrue(o *object) bool {
	return !o.writable() && !q.cache.IsHot(o.statx) && q.cache.Still(o.turn, o.opened, o.filled.Load(), o.statx)
}

func flagsReg(name string) int {
	if name == "statx" {
		return 2
	}
	return 3
}

// mixed answers calls about a file of either side, as the kernel does when files are on two file systems.
func mixed(q *request) {
	switch q.name {
	case "rename", "renameat", "renameat2", "link", "linkat":
		if ret, err := q.exists(&q.places[0]); ret < 0 || err != nil {
			q.result(ret, err)
			return
		}
		q.result(-int64(unix.EXDEV), nil)
	case "copy_file_range":
		q.result(-int64(unix.EXDEV), nil)
	case "sendfile", "splice", "tee":
		q.result(-int64(unix.EINVAL), nil)
	default:
		deny(q)
	}
}

// exists returns a negated error number if a name does not exist.
func (q *request) exists(p *place) (int64, error) {
	if p.side == view.Remote || p.side == view.ReadOnly {
		dir, err := q.dir(p)
		if err != nil {
			return 0, err
		}
		var s wire.Space
		return q.conn.Syscall("statx", [6]uint64{uint64(dir), s.PutString(p.far), nofollow, 0, s.Room(wire.StatxSize)}, &s)
	}
	name := p.full
	if rest, ok := strings.CutPrefix(name, "/proc/self/"); ok {
		name = "/proc/" + strconv.Itoa(q.TID()) + "/" + rest
	}
	var st unix.Stat_t
	if errno, ok := unix.Lstat(name, &st).(unix.Errno); ok {
		return -int64(errno), nil
	}
	return 0, nil
}

// deny answers a call about a remote file that cannot be carried. Executing it here would silently touch the wrong side.
func deny(q *request) {
	q.debug("%d %s%s: not carried", q.TID(), q.name, q.placesText())
	q.refuseCarrying(unix.ENOSYS)
}

// carry has the server execute the call, as its description and its form say.
func carry(q *request) {
	f, err := q.form()
	if err != nil {
		q.result(0, err)
		return
	}
	spec := wire.ByName(f.name)
	if spec == nil {
		deny(q)
		return
	}
	for i := range q.places {
		if q.places[i].side == view.ReadOnly && spec.Access == wire.AccessWrite {
			q.result(-int64(unix.EROFS), nil)
			return
		}
	}
	if q.denied() { // before anything is read of the program's memory
		q.result(-int64(unix.EBADF), nil)
		return
	}
	regs, err := q.regs(f, spec)
	if err != nil {
		q.result(0, err)
		return
	}
	after, e := q.adapt(f, &regs)
	if e != 0 {
		q.result(-int64(e), nil)
		return
	}
	if after != nil {
		q.after = after
	}
	turn := q.cache.Now()
	if err := q.syncMappings(); err != nil {
		q.result(0, err)
		return
	}
	back := q.unreadable(f.name, &regs)
	ret, err := q.conn.Syscall(f.name, regs, &q.space)
	if err == nil && ret == -int64(unix.EFAULT) && back >= 0 {
		_, err = q.conn.Syscall("lseek", [6]uint64{regs[0], uint64(back), unix.SEEK_SET}, &wire.Space{})
	}
	if f.name == "truncate" {
		q.objects.changes(attr.Inode{})
	}
	if f.name == "truncate" || dataOnly[f.name] {
		q.refreshMappings()
		q.resized(ret)
	}
	if spec.Access == wire.AccessWrite && !dataOnly[f.name] {
		q.forget(f.name, ret)
	}
	if err == nil && ret == -int64(unix.ENOENT) && len(q.places) > 0 && q.places[0].orHere {
		q.here()
		return
	}
	var statx []byte
	if err == nil && f.name == "statx" && ret == 0 {
		statx = bytes.Clone(q.space.Bytes(q.statx, wire.StatxSize))
	}
	if err == nil {
		q.learned(turn, ret, statx)
	}
	if err == nil && ret >= 0 && q.after != nil {
		ret = q.after(ret)
	}
	q.result(ret, err)
}

// dataOnly are the calls that change only the content and the attributes of a file which is open for writing: nothing is kept of
// those.
var dataOnly = map[string]bool{
	"write": true, "writev": true, "pwrite64": true, "pwritev": true, "pwritev2": true, "ftruncate": true, "fallocate": true, "sendfile": true,
	"copy_file_range": true,
}

// unreadable returns the position to which a file has to be set back if there is no memory for what is read from it: the server will have
// read all the same. -1 where that is not to be expected.
func (q *request) unreadable(name string, regs *[6]uint64) int64 {
	var b [16]byte
	switch name {
	case "read":
		if q.Read(regs[1], b[:1]) == 1 {
			return -1
		}
	case "readv":
		if q.space.Read(regs[1], b[:]) < len(b) || q.Read(binary.NativeEndian.Uint64(b[:]), b[:1]) == 1 {
			return -1
		}
	default:
		return -1
	}
	pos, err := q.conn.Syscall("lseek", [6]uint64{regs[0], 0, unix.SEEK_CUR}, &wire.Space{})
	if err != nil {
		return -1
	}
	return pos
}

// denied tells whether the call transfers in a direction in which the object is not open.
func (q *request) denied() bool {
	reads, io := plainIO[q.nr]
	if !io || q.objs[0] == nil || q.name == "lseek" {
		return false
	}
	if strings.HasPrefix(q.name, "p") && int64(q.args[3]) < 0 { // EINVAL comes first
		return false
	}
	o := q.objs[0]
	return !reads && !o.writable() || reads && (o.flags&unix.O_ACCMODE == unix.O_WRONLY || o.flags&unix.O_PATH != 0)
}

// form is the form of the call, as its paths are.
func (q *request) form() (form, error) {
	f := formOf(q.name)
	if len(q.places) == 0 || q.places[0].through == nil {
		return f, nil
	}
	o := q.places[0].through
	if o.flags&unix.O_PATH != 0 && f.name != "statx" && f.name != "linkat" { // by its name: other calls do not take it as a descriptor
		return f, nil
	}
	h, err := q.handle(o)
	if err != nil {
		return f, err
	}
	if t, ok := f.through(h); ok {
		return t, nil
	}
	return f, nil
}

// regs makes the registers of a call's generic form.
func (q *request) regs(f form, spec *wire.Carried) (regs [6]uint64, err error) {
	desc := spec.Desc.Match(&q.args, false)
	dirAt := -1
	for i := range desc.Args {
		a := &desc.Args[i]
		r := a.Register(wire.ABI)
		src := f.args[r]
		regs[r] = src.value(&q.args)
		switch a.Type.Kind {
		case syscalls.KindFD:
			if err := q.fd(src, &regs[r]); err != nil {
				return regs, err
			}
		case syscalls.KindDirFD:
			dirAt = r
			if err := q.fd(src, &regs[r]); err != nil { // fstat's, whose form is statx
				return regs, err
			}
		case syscalls.KindPath:
			if src >= constant/2 {
				regs[r] = q.space.PutString("")
				dirAt = -1
				continue
			}
			for j := range q.places {
				p := &q.places[j]
				if source(p.role.path) != src {
					continue
				}
				far := p.absolute()
				if dirAt >= 0 {
					dir, err := q.dir(p)
					if err != nil {
						return regs, err
					}
					regs[dirAt], far, dirAt = uint64(dir), p.far, -1
				}
				if !p.null {
					regs[r] = q.space.PutString(far)
				}
			}
		}
	}
	return regs, nil
}

// fd makes a handle of a descriptor.
func (q *request) fd(src source, reg *uint64) error {
	for i, fd := range q.roles.fds {
		if source(fd) != src {
			continue
		}
		if q.objs[i] == nil {
			*reg = wire.NoHandle
			return nil
		}
		h, err := q.handle(q.objs[i])
		if err == nil {
			err = q.settle(q.objs[i], int(int32(q.args[fd])), h)
		}
		*reg = uint64(h)
		return err
	}
	return nil
}

// settle moves the position of an object from its stand-in to the server, once the content is not here any more.
func (q *request) settle(o *object, fd int, h uint32) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.here || o.filled.Load() || o.node != nil {
		return nil
	}
	pos, err := q.positionHere(fd)
	if err != nil {
		return err
	}
	o.here = false
	_, err = q.conn.Syscall("lseek", [6]uint64{uint64(h), uint64(pos), unix.SEEK_SET}, &wire.Space{})
	return err
}

// positionHere is the position of a descriptor's stand-in.
func (q *request) positionHere(fd int) (int64, error) {
	pos, err := strconv.ParseInt(fieldOf("/proc/"+strconv.Itoa(q.TID())+"/fdinfo/"+strconv.Itoa(fd), "pos:"), 10, 64)
	if err != nil {
		return 0, unix.EBADF
	}
	return pos, nil
}
