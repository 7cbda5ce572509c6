package engine

import (
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The launcher is a static program of a few hundred bytes that stands between fork and the traced program's
// execve. Go cannot run code of its own there, and the program's first execve has to be in the trace. It sets the
// dispositions that the tracer was started with, waits until it is traced, installs the filter, takes on
// the credentials, and calls execve with the arguments and environment it was given itself.
//
// Its code is assembled with this package (launcher_*.s) and copied from there into an ELF image together with the data
// below; the image goes to a memfd that is executed.

const (
	launcherBase = 0x10000000
	launcherData = 0x10010000 // DATA in launcher_*.s
	launcherMax  = 1024       // bytes of code copied, more than there are
	segmentAlign = 0x10000    // the largest page size in use
)

// launchData is what the code reads, at launcherData.
type launchData struct {
	goAhead uint32
	flags   uint32
	ignored uint64
	path    uint64
	fprog   struct {
		len    uint16
		_      [3]uint16
		filter uint64
	}
	uid, gid uint32
	ngroups  uint64
	groups   uint64
	action   sigaction
}

// Bits of launchData.flags.
const (
	launchTraceme    = 1 << 0
	launchNoNewPrivs = 1 << 1
	launchFilter     = 1 << 2
	launchCreds      = 1 << 3
	launchOrphan     = 1 << 4 // do not die with the parent
)

// launcherAddr gives the address of the code.
func launcherAddr() unsafe.Pointer

// A launchPlan is all that an image depends on.
type launchPlan struct {
	path    string
	flags   uint32
	ignored uint64
	filter  []byte
	uid     uint32
	gid     uint32
	groups  []uint32
}

// image builds the ELF file: one segment of code and one of data, the filter, groups and path behind launchData.
func (p *launchPlan) image() ([]byte, error) {
	const (
		ehdr, phdr = 64, 56
		entry      = 512 // offset of the code
	)
	d := launchData{flags: p.flags, ignored: p.ignored, uid: p.uid, gid: p.gid}
	tail := make([]byte, 0, len(p.filter)+4*len(p.groups)+len(p.path)+64)
	place := func(b []byte) uint64 {
		at := launcherData + uint64(unsafe.Sizeof(d)) + uint64(len(tail))
		tail = append(tail, b...)
		for len(tail)%8 != 0 {
			tail = append(tail, 0)
		}
		return at
	}
	if n := len(p.filter); n != 0 {
		if n%8 != 0 || n/8 > 4096 {
			return nil, fmt.Errorf("launch: seccomp filter of %d bytes: not 1 to 4096 instructions", n)
		}
		d.flags |= launchFilter
		d.fprog.len = uint16(n / 8)
		d.fprog.filter = place(p.filter)
	}
	if p.flags&launchCreds != 0 {
		groups := make([]byte, 0, 4*len(p.groups))
		for _, g := range p.groups {
			groups = binary.NativeEndian.AppendUint32(groups, g)
		}
		d.ngroups = uint64(len(p.groups))
		d.groups = place(groups)
	}
	d.path = place(append([]byte(p.path), 0))

	dataSize := uint64(unsafe.Sizeof(d)) + uint64(len(tail))
	img := make([]byte, segmentAlign, segmentAlign+dataSize)
	le := binary.LittleEndian
	copy(img, "\x7fELF\x02\x01\x01")
	le.PutUint16(img[16:], 2) // ET_EXEC
	le.PutUint16(img[18:], elfMachine)
	le.PutUint32(img[20:], 1)
	le.PutUint64(img[24:], launcherBase+entry)
	le.PutUint64(img[32:], ehdr)
	le.PutUint16(img[52:], ehdr)
	le.PutUint16(img[54:], phdr)
	le.PutUint16(img[56:], 3)
	segment := func(i int, kind, flags uint32, off, addr, size uint64) {
		h := img[ehdr+i*phdr:]
		le.PutUint32(h, kind)
		le.PutUint32(h[4:], flags)
		le.PutUint64(h[8:], off)
		le.PutUint64(h[16:], addr)
		le.PutUint64(h[24:], addr)
		le.PutUint64(h[32:], size)
		le.PutUint64(h[40:], size)
		le.PutUint64(h[48:], segmentAlign)
	}
	segment(0, 1, 5, 0, launcherBase, entry+launcherMax)   // PT_LOAD r-x
	segment(1, 1, 6, segmentAlign, launcherData, dataSize) // PT_LOAD rw-
	segment(2, 0x6474e551, 6, 0, 0, 0)                     // PT_GNU_STACK: not executable
	copy(img[entry:], unsafe.Slice((*byte)(launcherAddr()), launcherMax))
	img = append(img, unsafe.Slice((*byte)(unsafe.Pointer(&d)), unsafe.Sizeof(d))...)
	return append(img, tail...), nil
}

// launcherFile holds the image where it can be executed: path is valid as long as it is not closed.
type launcherFile struct {
	path string
	fd   int    // of the memfd, or -1
	temp string // name of the temporary file
}

func (f *launcherFile) close() {
	if f.fd >= 0 {
		unix.Close(f.fd)
	}
	if f.temp != "" {
		os.Remove(f.temp)
	}
}

// newLauncherMemfd puts the image into a memfd whose number is at least minFD, so that the shuffling of descriptors between fork and
// exec cannot overwrite it.
func newLauncherMemfd(img []byte, minFD int) (*launcherFile, error) {
	fd, err := unix.MemfdCreate("launcher", unix.MFD_CLOEXEC|unix.MFD_EXEC)
	if err == unix.EINVAL { // MFD_EXEC is of Linux 6.3
		fd, err = unix.MemfdCreate("launcher", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, minFD)
	unix.Close(fd)
	if err != nil {
		return nil, fmt.Errorf("fcntl: %w", err)
	}
	f := &launcherFile{fd: high, path: fmt.Sprintf("/proc/self/fd/%d", high)}
	for n := 0; n < len(img); {
		w, err := unix.Write(high, img[n:])
		if err != nil && err != unix.EINTR {
			f.close()
			return nil, fmt.Errorf("write: %w", err)
		}
		n += max(w, 0)
	}
	return f, nil
}

// newLauncherTemp puts it into a temporary file.
func newLauncherTemp(img []byte) (*launcherFile, error) {
	tmp, err := os.CreateTemp("", "farcall-launcher-*")
	if err != nil {
		return nil, err
	}
	f := &launcherFile{fd: -1, temp: tmp.Name(), path: tmp.Name()}
	_, err = tmp.Write(img)
	if err == nil {
		err = tmp.Chmod(0o755)
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}
