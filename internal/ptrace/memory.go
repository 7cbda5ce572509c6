package ptrace

import (
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

var pageSize = uint64(unix.Getpagesize())

// maxIOV is the most iovecs one call takes (UIO_MAXIOV, include/uapi/linux/uio.h).
const maxIOV = 1024

// An access is a way to reach a tracee's memory.
type access uint8

const (
	accessVM   access = iota // process_vm_readv and process_vm_writev
	accessFile               // /proc/PID/mem
	accessPeek               // PTRACE_PEEKDATA and PTRACE_POKEDATA
)

// Memory is the address space of a tracee, as seen through one of its threads. It uses process_vm_readv(2)
// and process_vm_writev(2); where these are missing or refused (ENOSYS, EPERM), /proc/PID/mem, and where
// that is refused too, PTRACE_PEEKDATA and PTRACE_POKEDATA. A step down is kept until Reset.
//
// A Memory is for one goroutine; the last fallback needs the tracer's thread and a stopped tracee.
// No method allocates once the Memory has been used with as many ranges.
type Memory struct {
	pid    int
	access access
	file   int // descriptor of /proc/PID/mem plus 1: 0 is not open
	local  []unix.Iovec
	remote []unix.RemoteIovec
}

// NewMemory gives the memory that the thread pid has. It does not check that there is one.
func NewMemory(pid int) *Memory { return &Memory{pid: pid} }

// PID is the thread whose memory this is.
func (m *Memory) PID() int { return m.pid }

// Reset makes m stand for the memory of the thread pid, and forgets what was open and had been refused. It
// has to be called after an execve (/proc/PID/mem goes on showing the former image as long as another
// process uses it, as after vfork) and when the thread is gone (a thread group's memory cannot be reached
// through a leader that has exited).
func (m *Memory) Reset(pid int) {
	m.Close()
	m.pid, m.access = pid, accessVM
}

// Close releases the descriptor of /proc/PID/mem if one was opened. m may be used again.
func (m *Memory) Close() error {
	if m.file == 0 {
		return nil
	}
	fd := m.file - 1
	m.file = 0
	return unix.Close(fd)
}

// A Range is a piece of a tracee's memory for ReadV and WriteV.
type Range struct {
	Addr uint64
	Buf  []byte
	N    int // set by ReadV and WriteV: the bytes transferred, counted from Addr
}

// Read copies len(b) bytes at addr into b. n < len(b) comes with an error: EFAULT if the page at
// addr+n cannot be read (all bytes before it are in b), ESRCH if the thread is gone or has no memory any more.
// Page protection is obeyed: what the program could not read gives EFAULT (except in the fallbacks).
func (m *Memory) Read(addr uint64, b []byte) (n int, err error) {
	return m.transfer(addr, b, unix.SYS_PROCESS_VM_READV)
}

// Write copies b to addr. n and err are as for Read; a page the program cannot write gives EFAULT.
func (m *Memory) Write(addr uint64, b []byte) (n int, err error) {
	return m.transfer(addr, b, unix.SYS_PROCESS_VM_WRITEV)
}

// ReadV reads all ranges, in one system call if none has a page that cannot be read. Such a range has N
// below its length and does not keep the others from being read. err is nil even then; it is ESRCH if the
// thread is gone. Ranges of length 0 are allowed.
func (m *Memory) ReadV(ranges []Range) error {
	return m.transferV(ranges, unix.SYS_PROCESS_VM_READV)
}

// WriteV writes all ranges; N and err are as for ReadV.
func (m *Memory) WriteV(ranges []Range) error {
	return m.transferV(ranges, unix.SYS_PROCESS_VM_WRITEV)
}

// firstStringPiece is what ReadString reads first: most strings are shorter, and longer copies cost time.
const firstStringPiece = 256

// ReadString reads a NUL-terminated string at addr into buf, never touching a page that the string does not
// reach. n is the length without the NUL; terminated tells that the NUL was seen, and buf[n] is then 0.
// Without an error and without a NUL the string is longer than buf. On EFAULT the n bytes before the
// unreadable page are in buf.
func (m *Memory) ReadString(addr uint64, buf []byte) (n int, terminated bool, err error) {
	piece := uint64(firstStringPiece)
	for n < len(buf) {
		at := addr + uint64(n)
		want := min(pageSize-at%pageSize, piece, uint64(len(buf)-n))
		piece = pageSize
		got, err := m.Read(at, buf[n:n+int(want)])
		if i := indexNUL(buf[n : n+got]); i >= 0 {
			return n + i, true, nil
		}
		n += got
		if err != nil {
			return n, false, err
		}
	}
	return n, false, nil
}

// LengthInPage is the number of bytes from addr to the end of its page, at most max: as much as can be
// read blindly when only addr is known to be good.
func LengthInPage(addr uint64, max int) int {
	return int(min(pageSize-addr%pageSize, uint64(max)))
}

func indexNUL(b []byte) int {
	for i, c := range b {
		if c == 0 {
			return i
		}
	}
	return -1
}

// once makes one process_vm call for one range.
func (m *Memory) once(addr uint64, b []byte, call uintptr) (int, unix.Errno) {
	local := unix.Iovec{Base: unsafe.SliceData(b), Len: uint64(len(b))}
	remote := unix.RemoteIovec{Base: uintptr(addr), Len: len(b)}
	n, _, e := unix.RawSyscall6(call, uintptr(m.pid), uintptr(unsafe.Pointer(&local)), 1,
		uintptr(unsafe.Pointer(&remote)), 1, 0)
	runtime.KeepAlive(b)
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}

func (m *Memory) transfer(addr uint64, b []byte, call uintptr) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if m.access == accessVM {
		n, e := m.once(addr, b, call)
		if n == len(b) {
			return n, nil
		}
		if !m.refused(e) {
			return m.finish(addr, b, n, e, call)
		}
	}
	return m.fallback(addr, b, call == unix.SYS_PROCESS_VM_WRITEV)
}

// refused takes note of an error that will come again for every address.
func (m *Memory) refused(e unix.Errno) bool {
	if e != unix.ENOSYS && e != unix.EPERM {
		return false
	}
	m.access = accessFile
	return true
}

// finish makes an incomplete transfer exact. The kernel copies page by page (mm/process_vm_access.c), so
// that it has normally stopped at a page boundary; process_vm_readv(2) only promises whole iovecs, and
// pages that are pinned together may fail together.
func (m *Memory) finish(addr uint64, b []byte, n int, e unix.Errno, call uintptr) (int, error) {
	for n < len(b) && (e == 0 || e == unix.EFAULT) {
		at := addr + uint64(n)
		want := LengthInPage(at, len(b)-n)
		if want == len(b)-n && n == 0 {
			// All of it is in this page, which has just failed.
			return n, unix.EFAULT
		}
		var got int
		got, e = m.once(at, b[n:n+want], call)
		n += got
		if e != 0 || got == 0 {
			break
		}
	}
	if n == len(b) {
		return n, nil
	}
	if e == 0 {
		e = unix.EFAULT
	}
	return n, e
}

func (m *Memory) transferV(ranges []Range, call uintptr) error {
	for i := range ranges {
		ranges[i].N = 0
	}
	for next := 0; next < len(ranges); {
		if m.access != accessVM {
			return m.fallbackV(ranges[next:], call == unix.SYS_PROCESS_VM_WRITEV)
		}
		count := min(len(ranges)-next, maxIOV)
		n, e := m.batch(ranges[next:next+count], call)
		if m.refused(e) {
			continue
		}
		if e != 0 && e != unix.EFAULT {
			return e
		}
		// Ranges that n covers are complete; the one after them failed, those behind it were not tried.
		done := 0
		for ; done < count; done++ {
			r := &ranges[next+done]
			if n < len(r.Buf) {
				break
			}
			r.N = len(r.Buf)
			n -= r.N
		}
		next += done
		if done < count {
			r := &ranges[next]
			var err error
			r.N, err = m.finish(r.Addr, r.Buf, n, e, call)
			if err != nil && err != unix.EFAULT {
				return err
			}
			next++
		}
	}
	return nil
}

// batch makes one process_vm call for at most maxIOV ranges.
func (m *Memory) batch(ranges []Range, call uintptr) (int, unix.Errno) {
	if cap(m.local) < len(ranges) {
		m.local = make([]unix.Iovec, 0, max(len(ranges), 16))
		m.remote = make([]unix.RemoteIovec, 0, max(len(ranges), 16))
	}
	m.local, m.remote = m.local[:len(ranges)], m.remote[:len(ranges)]
	for i := range ranges {
		r := &ranges[i]
		m.local[i] = unix.Iovec{Base: unsafe.SliceData(r.Buf), Len: uint64(len(r.Buf))}
		m.remote[i] = unix.RemoteIovec{Base: uintptr(r.Addr), Len: len(r.Buf)}
	}
	n, _, e := unix.RawSyscall6(call, uintptr(m.pid), uintptr(unsafe.Pointer(&m.local[0])), uintptr(len(ranges)),
		uintptr(unsafe.Pointer(&m.remote[0])), uintptr(len(ranges)), 0)
	clear(m.local) // do not keep the caller's buffers alive
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}

// open makes sure that /proc/PID/mem is open. For a stopped tracee the kernel grants it to the tracer.
func (m *Memory) open() error {
	if m.file != 0 {
		return nil
	}
	fd, err := unix.Open("/proc/"+strconv.Itoa(m.pid)+"/mem", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	m.file = fd + 1
	return nil
}
