package ptrace

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ReadForced reads as Read does, but through /proc/PID/mem (or PEEKDATA), which does not obey page
// protection: pages that are only executable, or not accessible at all, can be read.
func (m *Memory) ReadForced(addr uint64, b []byte) (int, error) {
	return m.forced(addr, b, false)
}

// WriteForced writes as Write does, but through /proc/PID/mem (or POKEDATA): private mappings that are
// read-only or executable are copied and changed. It is what sets breakpoints.
func (m *Memory) WriteForced(addr uint64, b []byte) (int, error) {
	return m.forced(addr, b, true)
}

// forced tries PEEK and POKE where /proc/PID/mem fails: a kernel can be told that the file obeys protection
// (proc_mem.force_override, Linux 6.12), which ptrace itself never does.
func (m *Memory) forced(addr uint64, b []byte, write bool) (int, error) {
	n, err := m.fallback(addr, b, write)
	if err != unix.EFAULT || m.access == accessPeek {
		return n, err
	}
	more, err := m.viaWords(addr+uint64(n), b[n:], write)
	if err == unix.ESRCH { // not stopped, or not ours: the file's answer stands
		err = unix.EFAULT
	}
	return n + more, err
}

// fallback serves a range without process_vm_readv and its like. Its errors are those of Read.
func (m *Memory) fallback(addr uint64, b []byte, write bool) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if m.access == accessPeek {
		return m.viaWords(addr, b, write)
	}
	if m.open() == nil {
		n, err := m.viaFile(addr, b, write)
		if err == unix.ESRCH && n == 0 {
			// The image that the file was opened for is gone; there may be a new one.
			m.Close()
			if m.open() == nil {
				n, err = m.viaFile(addr, b, write)
			}
		}
		if err != unix.EPERM && err != unix.EACCES {
			return n, err
		}
	}
	// The file is refused, /proc is not mounted or the thread is gone: PEEK works, or tells which.
	n, err := m.viaWords(addr, b, write)
	if m.access == accessFile && (n > 0 || err != unix.ESRCH) {
		m.access = accessPeek
	}
	return n, err
}

func (m *Memory) fallbackV(ranges []Range, write bool) error {
	for i := range ranges {
		r := &ranges[i]
		var err error
		r.N, err = m.fallback(r.Addr, r.Buf, write)
		if err != nil && err != unix.EFAULT {
			return err
		}
	}
	return nil
}

// viaFile uses /proc/PID/mem. The kernel gives EIO where nothing is mapped, and 0 once the address space is
// gone.
func (m *Memory) viaFile(addr uint64, b []byte, write bool) (int, error) {
	call := uintptr(unix.SYS_PREAD64)
	if write {
		call = unix.SYS_PWRITE64
	}
	n := 0
	for n < len(b) {
		got, _, e := unix.RawSyscall6(call, uintptr(m.file-1), uintptr(unsafe.Pointer(&b[n])), uintptr(len(b)-n),
			uintptr(addr)+uintptr(n), 0, 0)
		switch {
		case e == unix.EIO || e == unix.EINVAL: // EINVAL: an offset above the file size limit
			return n, unix.EFAULT
		case e != 0:
			return n, e
		case got == 0:
			return n, unix.ESRCH
		}
		n += int(got)
	}
	return n, nil
}

// viaWords uses PEEKDATA and POKEDATA on aligned words, so that no word reaches into another page.
func (m *Memory) viaWords(addr uint64, b []byte, write bool) (int, error) {
	const size = 8
	n := 0
	for n < len(b) {
		at := addr + uint64(n)
		base, skip := at&^(size-1), int(at&(size-1))
		word, err := PeekData(m.pid, base)
		if err == unix.EIO {
			err = unix.EFAULT
		}
		if err != nil {
			return n, err
		}
		var raw [size]byte
		binary.NativeEndian.PutUint64(raw[:], word)
		if !write {
			n += copy(b[n:], raw[skip:])
			continue
		}
		c := copy(raw[skip:], b[n:])
		if err := PokeData(m.pid, base, binary.NativeEndian.Uint64(raw[:])); err != nil {
			if err == unix.EIO {
				err = unix.EFAULT
			}
			return n, err
		}
		n += c
	}
	return n, nil
}
