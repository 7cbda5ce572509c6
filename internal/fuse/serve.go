package fuse

import (
	"encoding/binary"
	"runtime"
	"sync"

	"farcall/internal/linux"

	"golang.org/x/sys/unix"
)

// bufferSize is room for the largest request.
const bufferSize = inHeaderSize + ioInSize + MaxIO

var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

// serve answers requests, in the order in which they come, until there is nobody left who could make any.
func (m *Mount) serve() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		buf := buffers.Get().(*[]byte)
		n, err := unix.Read(m.dev, *buf)
		switch err {
		case nil:
		case unix.EINTR, unix.EAGAIN, unix.ENOENT: // ENOENT: it was interrupted before we had it
			buffers.Put(buf)
			continue
		default: // ENODEV: it is over
			m.end()
			return
		}
		h, err := parse((*buf)[:n])
		if err != nil { // the kernel makes none of those
			buffers.Put(buf)
			continue
		}
		q := &Request{mount: m, unique: h.unique, tid: h.tid, buf: buf}
		m.handle(q, &h)
	}
}

// end closes /dev/fuse, and tells files that are open still, whose mount was taken from them, that nobody has them any more.
func (m *Mount) end() {
	m.sending.Lock()
	unix.Close(m.dev)
	m.dev = -1
	m.sending.Unlock()
	m.mu.Lock()
	files := m.files
	m.files = nil
	m.mu.Unlock()
	for _, f := range files {
		f.Closed()
	}
}

// handle answers a request, or has somebody do it.
func (m *Mount) handle(q *Request, h *header) {
	switch h.op {
	case opInit:
		q.answer(initOut(h.u32(12)))
	case opForget, opBatchForget, opDestroy:
		q.over() // without an answer
	case opInterrupt:
		m.interrupt(h.u64(0))
		q.over()
	case opLookup:
		m.lookup(q, h)
	case opGetAttr:
		switch f := m.attributesOf(h); {
		case h.node == rootNode:
			q.answer(attrOut(rootNode, 0, 1, unix.S_IFDIR|0o711))
		case f == nil:
			q.Fail(unix.ENOENT)
		case isDirectory(f):
			q.answer(attrOut(h.node, 0, 1, unix.S_IFDIR|0o777))
		default:
			q.node, q.changed = h.node, m.changed(f)
			m.ask(q)
			f.Size(q)
		}
	case opOpen, opOpenDir:
		m.open(q, h)
	case opRelease, opReleaseDir:
		m.closed(h.u64(0))
		q.Done()
	case opRead, opWrite, opLseek, opFsync:
		m.io(q, h)
	default: // among them FLUSH, POLL and GETXATTR: the kernel asks once
		q.Fail(unix.ENOSYS)
	}
}

// io has an open file answer.
func (m *Mount) io(q *Request, h *header) {
	m.mu.Lock()
	f := m.files[h.u64(0)]
	m.mu.Unlock()
	if f == nil {
		q.Fail(unix.EBADF)
		return
	}
	at, n := int64(h.u64(8)), int(h.u32(16))
	if at < 0 && (h.op == opRead || h.op == opWrite) {
		q.Fail(unix.EINVAL)
		return
	}
	m.ask(q)
	if h.op != opWrite {
		q.release()
	}
	switch h.op {
	case opRead:
		f.Read(q, at, min(n, MaxIO))
	case opWrite:
		if ioInSize+n > len(h.body) {
			q.Fail(unix.EIO)
			return
		}
		f.Write(q, at, h.body[ioInSize:ioInSize+n])
	case opLseek:
		f.Seek(q, at, h.u32(16))
	case opFsync:
		f.Sync(q)
	}
}

func isDirectory(f File) bool {
	kind, _ := f.Kind()
	return kind == Directory
}

// changed is the time of the last change that the kernel is told of a file: 0 if that does not change any more, as far as it has to know, otherwise
// another one each time, so that it keeps no content.
func (m *Mount) changed(f File) uint64 {
	if kind, _ := f.Kind(); kind == Cached {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.time++
	return m.time
}

// attributesOf is an open file that knows the size of a node.
func (m *Mount) attributesOf(h *header) File {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h.u32(0)&getAttrFH != 0 {
		if f := m.files[h.u64(8)]; f != nil {
			return f.File
		}
	}
	for _, f := range m.files {
		if f.node.id == h.node {
			return f.File
		}
	}
	if as := m.nodes[h.node]; as != nil {
		return as.file
	}
	return nil
}

// lookup answers what a name is.
func (m *Mount) lookup(q *Request, h *header) {
	name := h.body
	if n := len(name); n > 0 && name[n-1] == 0 {
		name = name[:n-1]
	}
	m.mu.Lock()
	as := m.names[string(name)]
	m.mu.Unlock()
	if as == nil || h.node != rootNode {
		q.Fail(unix.ENOENT)
		return
	}
	mode := uint32(unix.S_IFREG | 0o666)
	if isDirectory(as.file) {
		mode = unix.S_IFDIR | 0o777
	}
	q.answer(entryOut(as.node.id, as.size, m.changed(as.file), mode))
}

// open answers that a file is open.
func (m *Mount) open(q *Request, h *header) {
	m.mu.Lock()
	as := m.nodes[h.node]
	delete(m.nodes, h.node)
	if as == nil {
		m.mu.Unlock()
		q.Fail(unix.ENOENT)
		return
	}
	m.next++
	fh := m.next
	m.files[fh] = &open{as.file, as.node}
	m.mu.Unlock()
	kind, content := as.file.Kind()
	flags := uint32(openNoFlush)
	switch kind {
	case Cached:
		flags |= openKeepCache
		m.store(as.node, content[:min(len(content), storeAhead)])
	case Direct:
		flags |= openDirect
	case Stream:
		flags |= openDirect | openStream
	}
	var b [openOutSize]byte
	putU64(b[:], 0, fh)
	putU32(b[:], 8, flags)
	if !q.answer(b[:]) { // whoever opened it is gone
		m.closed(fh)
	}
}

// closed tells a file that nobody has it open any more.
func (m *Mount) closed(fh uint64) {
	m.mu.Lock()
	f := m.files[fh]
	delete(m.files, fh)
	m.mu.Unlock()
	if f != nil {
		f.Closed()
	}
}

// storeAhead is how much of a Cached file the kernel gets before it asks.
const storeAhead = 4 << 20

// ask notes that a request waits.
func (m *Mount) ask(q *Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked[q.unique] = q
}

// interrupt tells whoever answers a request that the thread has a signal.
func (m *Mount) interrupt(unique uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q := m.asked[unique]; q != nil && !q.told && !(q.stubborn && !killed(q.tid)) {
		q.told = true
		if q.interrupted != nil {
			close(q.interrupted)
		}
	}
}

// killed tells whether a thread is to end.
func killed(tid int) bool {
	st, err := linux.ReadStatus(tid)
	return err != nil || (st.Pending|st.SharedPending)&(1<<(unix.SIGKILL-1)) != 0
}

// send writes an answer or a notification: the head, whose length it fills in, and data.
func (m *Mount) send(head, data []byte) error {
	putU32(head, 0, uint32(len(head)+len(data)))
	m.sending.RLock()
	defer m.sending.RUnlock()
	if m.dev < 0 {
		return unix.ENODEV
	}
	return retry(func() (err error) {
		if len(data) == 0 {
			_, err = unix.Write(m.dev, head)
		} else {
			_, err = unix.Writev(m.dev, [][]byte{head, data})
		}
		return err
	})
}

// notification begins one that has a body of n bytes.
func notification(code uint32, n int) []byte {
	b := make([]byte, outHeaderSize+n)
	putU32(b, 4, code)
	return b
}

func putU32(b []byte, at int, v uint32) { binary.NativeEndian.PutUint32(b[at:], v) }
func putU64(b []byte, at int, v uint64) { binary.NativeEndian.PutUint64(b[at:], v) }
