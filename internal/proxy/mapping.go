package proxy

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"farcall/internal/proxy/attr"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// A file of the server that is mapped with MAP_SHARED is, for the kernel, a memfd with its content: one for each file, so that all who have
// mapped it see the same. What is stored there goes to the server when anybody reads or writes the file by a call, at msync(2), and soon in
// any case; what calls write comes back into the memfd before they return. So, as with a local file, no call can tell the two apart.
//
// Nothing tells when the last mapping is gone. But a memfd cannot be sealed against writing as long as it is mapped for writing: we
// try that.

// A mapping is a file that is mapped.
type mapping struct {
	statx    []byte
	handle   uint32 // opened for this, as mappings outlive descriptors
	writable bool   // by handle
	file     int    // the memfd
	shadow   []byte // what the server has
	pending  int    // how many are about to map it
	err      error  // that the next msync returns
}

// mappings are all of them.
type mappings struct {
	live atomic.Int64
	mu   sync.Mutex
	all  map[attr.Inode]*mapping
}

// maxShared is how large a file may be that is mapped with MAP_SHARED for writing: it is compared with what the server has again and again.
const maxShared = 256 << 20

// mapInterval is how often it is looked whether mappings have been changed or are gone.
const mapInterval = 100 * time.Millisecond

// mmap maps a file.
func mmap(q *request) {
	o, prot, share := q.objs[0], q.args[2], q.args[3]&unix.MAP_TYPE
	mode := o.flags & unix.O_ACCMODE
	switch {
	case o.flags&unix.O_PATH != 0:
		q.result(-int64(unix.EBADF), nil)
		return
	case q.args[1] == 0 || q.args[5]%pageSize != 0 || share != unix.MAP_PRIVATE && share != unix.MAP_SHARED && share != unix.MAP_SHARED_VALIDATE:
		q.result(-int64(unix.EINVAL), nil)
		return
	case mode == unix.O_WRONLY, share != unix.MAP_PRIVATE && prot&unix.PROT_WRITE != 0 && mode != unix.O_RDWR:
		q.result(-int64(unix.EACCES), nil)
		return
	case o.statx == nil || attr.Statx(o.statx).Mode&unix.S_IFMT != unix.S_IFREG:
		q.result(-int64(unix.ENODEV), nil)
		return
	}
	h, err := q.handle(o)
	if err != nil {
		q.result(0, err)
		return
	}
	x, ret, err := q.fstat(h)
	if err != nil || ret < 0 {
		q.result(ret, err)
		return
	}
	if share == unix.MAP_PRIVATE || prot&unix.PROT_WRITE == 0 && x.Size > maxShared {
		q.mapCopy(h, x)
		return
	}
	if x.Size > maxShared {
		q.result(-int64(unix.ENODEV), nil)
		return
	}
	m, ret, err := q.mapping(o, h)
	if err != nil || ret < 0 {
		q.result(ret, err)
		return
	}
	q.debug("%d mmap <%s>: shared", q.TID(), o.path)
	q.Map(m.file, q.args, func() {
		q.maps.mu.Lock()
		m.pending--
		q.maps.mu.Unlock()
	})
}

const pageSize = 4096 // at least

// mapCopy maps a copy of the part of a file that is asked for. A program that maps it with MAP_SHARED cannot make it writable later.
func (q *request) mapCopy(h uint32, x *unix.Statx_t) {
	from := min(q.args[5], x.Size)
	to := min(x.Size, from+min(q.args[1], math.MaxInt64))
	if err := q.syncMappings(); err != nil {
		q.result(0, err)
		return
	}
	file, err := q.copyFile(h, x.Size, from, to)
	if err != nil {
		q.result(0, err)
		return
	}
	defer unix.Close(file)
	if q.args[3]&unix.MAP_TYPE != unix.MAP_PRIVATE {
		reads, err := unix.Open("/proc/self/fd/"+strconv.Itoa(file), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			q.result(0, err)
			return
		}
		defer unix.Close(reads)
		file = reads
	}
	q.debug("%d mmap%s: a copy", q.TID(), q.placesText())
	q.Map(file, q.args, func() {})
}

// copyFile makes a memfd with a part of a file at its place.
func (p *Proxy) copyFile(h uint32, size, from, to uint64) (file int, err error) {
	file, err = unix.MemfdCreate("farcall-map", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return -1, err
	}
	put := func(b []byte, at uint64) error {
		_, err := unix.Pwrite(file, b, int64(at))
		return err
	}
	if err = unix.Ftruncate(file, int64(size)); err == nil && to > from {
		if to-from < sparse {
			err = p.read(h, from, to, put)
		} else {
			err = p.readData(h, from, to, put)
		}
	}
	if err != nil {
		unix.Close(file)
		return -1, err
	}
	return file, nil
}

// sparse is from which size on it is worth while to ask where a file has holes.
const sparse = 16 << 20

// readData is read that leaves holes out. ENOMEM if there is more than this host can keep.
func (p *Proxy) readData(h uint32, from, to uint64, put func(b []byte, at uint64) error) error {
	r, err := p.conn.OpenX(&wire.OpenX{Dir: h, Flags: unix.O_RDONLY}) // for a position of our own
	if err != nil {
		return err
	}
	if r.Ret < 0 {
		return unix.Errno(-r.Ret)
	}
	own := uint32(r.Ret)
	defer p.conn.CloseHandle(own)
	room := uint64(math.MaxUint64)
	var memory unix.Sysinfo_t
	if unix.Sysinfo(&memory) == nil {
		room = uint64(memory.Totalram) * uint64(memory.Unit) / 2
	}
	seek := func(at uint64, whence uint64) (uint64, error) {
		ret, err := p.conn.Syscall("lseek", [6]uint64{uint64(own), at, whence}, &wire.Space{})
		switch {
		case err != nil:
			return 0, err
		case ret == -int64(unix.ENXIO): // nothing more
			return to, nil
		case ret < 0:
			return 0, unix.Errno(-ret)
		}
		return min(uint64(ret), to), nil
	}
	for from < to {
		data, err := seek(from, unix.SEEK_DATA)
		if err != nil || data == to {
			return err
		}
		hole, err := seek(data, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if hole-data > room {
			return unix.ENOMEM
		}
		room -= hole - data
		if err := p.read(own, data, hole, put); err != nil {
			return err
		}
		from = hole
	}
	return nil
}

// readers is how many pieces of a file are asked for at the same time.
const readers = 8

// read reads a part of a file of the server. Behind the file's end nothing is put. put is called by several goroutines.
func (p *Proxy) read(h uint32, from, to uint64, put func(b []byte, at uint64) error) error {
	var wait sync.WaitGroup
	var next atomic.Uint64
	next.Store(from)
	errs := make([]error, readers)
	for i := range readers {
		if uint64(i) > (to-from)/wire.MaxIO {
			break
		}
		wait.Go(func() {
			for errs[i] == nil {
				at := next.Add(wire.MaxIO) - wire.MaxIO
				if at >= to {
					return
				}
				n := min(wire.MaxIO, to-at)
				var s wire.Space
				buf := s.Room(int(n))
				ret, err := p.conn.Syscall("pread64", [6]uint64{uint64(h), buf, n, at}, &s)
				switch {
				case err != nil:
					errs[i] = err
				case ret < 0:
					errs[i] = unix.Errno(-ret)
				default:
					errs[i] = put(s.Bytes(buf, int(ret)), at)
				}
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// mapping returns the mapping of a file, which is pending then. A negative ret is the error.
func (q *request) mapping(o *object, h uint32) (m *mapping, ret int64, err error) {
	ms := &q.maps
	ms.mu.Lock()
	defer ms.mu.Unlock()
	ino := attr.InodeOf(o.statx)
	if m = ms.all[ino]; m != nil && (m.writable || !o.writable()) {
		m.pending++
		return m, 0, q.refresh(m)
	}
	if m != nil { // it was mapped by those who cannot write it
		q.unmap(ino, m)
	}
	m = &mapping{statx: o.statx, pending: 1}
	var r *wire.Opened
	for _, flags := range []uint32{unix.O_RDWR, unix.O_RDONLY} {
		if flags == unix.O_RDONLY && o.writable() {
			break
		}
		if r, err = q.conn.OpenX(&wire.OpenX{Dir: h, Flags: flags}); err != nil {
			return nil, 0, err
		}
		if m.writable = flags == unix.O_RDWR; r.Ret >= 0 {
			break
		}
	}
	if r.Ret < 0 {
		return nil, r.Ret, nil
	}
	m.handle = uint32(r.Ret)
	size := attr.Statx(r.Statx).Size
	if m.file, err = q.copyFile(m.handle, size, 0, size); err == nil {
		if m.shadow, err = m.content(); err != nil {
			unix.Close(m.file)
		}
	}
	if err != nil {
		q.conn.CloseHandle(m.handle)
		return nil, 0, err
	}
	if ms.all == nil {
		ms.all = map[attr.Inode]*mapping{}
	}
	ms.all[ino] = m
	q.cache.Writing(m.statx, 1)
	if m.writable {
		q.objects.changes(ino)
	}
	if ms.live.Add(1) == 1 {
		go q.Proxy.watchMappings()
	}
	return m, 0, nil
}

// content is what the memfd has.
func (m *mapping) content() ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(m.file, &st); err != nil {
		return nil, err
	}
	b := make([]byte, st.Size)
	for n := 0; n < len(b); {
		k, err := unix.Pread(m.file, b[n:], int64(n))
		if err != nil {
			return nil, err
		}
		if k == 0 {
			break
		}
		n += k
	}
	return b, nil
}

// sync sends what has been stored in a mapping. ms.mu is held.
func (p *Proxy) sync(m *mapping) error {
	if !m.writable {
		return nil
	}
	now, err := m.content()
	if err != nil {
		return err
	}
	for at := 0; at < len(now); {
		if end := min(at+pageSize, len(now)); bytes.Equal(now[at:end], m.shadow[at:end]) {
			at = end
			continue
		}
		from, to := at, at
		for to < len(now) && to-from < wire.MaxIO-pageSize { // all pages that have changed
			end := min(to+pageSize, len(now))
			if bytes.Equal(now[to:end], m.shadow[to:end]) {
				break
			}
			to = end
		}
		var s wire.Space
		buf := s.Put(now[from:to])
		ret, err := p.conn.Syscall("pwrite64", [6]uint64{uint64(m.handle), buf, uint64(to - from), uint64(from)}, &s)
		if err == nil && ret < 0 {
			err = unix.Errno(-ret)
		}
		if err != nil {
			return err
		}
		copy(m.shadow[from:to], now[from:to])
		p.objects.changes(attr.InodeOf(m.statx))
		at = to
	}
	return nil
}

// refresh brings what the server has into a mapping. ms.mu is held.
func (p *Proxy) refresh(m *mapping) error {
	x, ret, err := p.fstat(m.handle)
	if err != nil || ret < 0 {
		return err
	}
	if size := int(x.Size); size != len(m.shadow) {
		if err := unix.Ftruncate(m.file, int64(size)); err != nil {
			return err
		}
		shadow := make([]byte, size)
		copy(shadow, m.shadow)
		m.shadow = shadow
	}
	return p.read(m.handle, 0, x.Size, func(b []byte, at uint64) error {
		old := m.shadow[at:][:len(b)]
		for i := 0; i < len(b); {
			if end := min(i+pageSize, len(b)); bytes.Equal(b[i:end], old[i:end]) {
				i = end
				continue
			}
			for i < len(b) && b[i] == old[i] {
				i++
			}
			from := i
			for i < len(b) && b[i] != old[i] {
				i++
			}
			if _, err := unix.Pwrite(m.file, b[from:i], int64(at)+int64(from)); err != nil {
				return err
			}
			copy(old[from:i], b[from:i])
		}
		return nil
	})
}

// unmap ends a mapping. ms.mu is held.
func (p *Proxy) unmap(ino attr.Inode, m *mapping) {
	delete(p.maps.all, ino)
	p.maps.live.Add(-1)
	unix.Close(m.file)
	p.conn.CloseHandle(m.handle)
	p.cache.Writing(m.statx, -1)
}

// ended tells whether nobody has a file mapped any more, and nobody can from now on.
func (m *mapping) ended() bool {
	if m.pending > 0 {
		return false
	}
	_, err := unix.FcntlInt(uintptr(m.file), unix.F_ADD_SEALS, unix.F_SEAL_WRITE)
	return err == nil
}

// syncMappings sends what has been stored in all mappings. Its error is handle's.
func (p *Proxy) syncMappings() error {
	if p.maps.live.Load() == 0 {
		return nil
	}
	p.maps.mu.Lock()
	defer p.maps.mu.Unlock()
	var first error
	for ino, m := range p.maps.all {
		ended := m.ended()
		err := p.sync(m)
		var errno unix.Errno
		if errors.As(err, &errno) { // the call that we are asked for is not to blame
			m.err, err = err, nil
			p.debug("mapping: %v", errno)
		}
		if first == nil {
			first = err
		}
		if ended {
			p.unmap(ino, m)
		}
	}
	return first
}

// refreshMappings brings what has been written by calls into all mappings.
func (p *Proxy) refreshMappings() {
	if p.maps.live.Load() == 0 {
		return
	}
	p.maps.mu.Lock()
	defer p.maps.mu.Unlock()
	for _, m := range p.maps.all {
		if err := p.refresh(m); err != nil {
			p.debug("mapping: %v", err)
		}
	}
}

// watchMappings sends what is stored in mappings soon, as long as there are any.
func (p *Proxy) watchMappings() {
	tick := time.NewTicker(mapInterval)
	defer tick.Stop()
	for p.maps.live.Load() > 0 {
		<-tick.C
		if err := p.syncMappings(); err != nil {
			p.fail(err)
			return
		}
	}
}

// closeMappings is for when all programs have ended.
func (p *Proxy) closeMappings() {
	_ = p.syncMappings() // the session is over, which has been told
	p.maps.mu.Lock()
	defer p.maps.mu.Unlock()
	for ino, m := range p.maps.all {
		p.unmap(ino, m)
	}
}

// msync sends what has been stored before it is executed.
func (q *request) msync() {
	err := q.syncMappings()
	q.maps.mu.Lock()
	for _, m := range q.maps.all {
		if err == nil && m.err != nil {
			err, m.err = m.err, nil
		}
	}
	q.maps.mu.Unlock()
	if err != nil {
		q.result(0, err)
		return
	}
	q.Continue()
}
