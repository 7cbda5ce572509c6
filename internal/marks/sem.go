package marks

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An operation is struct sembuf (include/uapi/linux/sem.h).
type operation struct {
	semaphore uint16
	change    int16
	flags     int16
}

const (
	semUndo = 0x1000 // SEM_UNDO
	getVal  = 12     // GETVAL
)

func semop(id int, ops ...operation) error {
	_, _, e := unix.Syscall(unix.SYS_SEMOP, uintptr(id), uintptr(unsafe.Pointer(unsafe.SliceData(ops))), uintptr(len(ops)))
	if e != 0 {
		return e
	}
	return nil
}

func semget(key int32, n int, flags int) (int, error) {
	id, _, e := unix.Syscall(unix.SYS_SEMGET, uintptr(key), uintptr(n), uintptr(flags))
	if e != 0 {
		return -1, e
	}
	return int(id), nil
}

func semctl(id, semaphore, command int, arg unsafe.Pointer) (int, error) {
	v, _, e := unix.Syscall6(unix.SYS_SEMCTL, uintptr(id), uintptr(semaphore), uintptr(command), uintptr(arg), 0, 0)
	if e != 0 {
		return -1, e
	}
	return int(v), nil
}

// A status is struct semid64_ds, of which all that counts here is the struct ipc64_perm at its beginning: 64-bit
// architectures have that alike (include/uapi/asm-generic/ipcbuf.h).
type status [256]byte

func (s *status) uid() uint32      { return binary.NativeEndian.Uint32(s[4:]) }
func (s *status) setUID(v uint32)  { binary.NativeEndian.PutUint32(s[4:], v) }
func (s *status) setGID(v uint32)  { binary.NativeEndian.PutUint32(s[8:], v) }
func (s *status) setMode(v uint32) { binary.NativeEndian.PutUint32(s[20:], v) }

// give makes a user the owner of a set. Whoever created it keeps its rights (kernel: ipcperms).
func give(id int, uid, gid uint32) error {
	var s status
	if _, err := semctl(id, 0, unix.IPC_STAT, unsafe.Pointer(&s)); err != nil {
		return err
	}
	if s.uid() == uid {
		return nil
	}
	s.setUID(uid)
	s.setGID(gid)
	s.setMode(mode)
	_, err := semctl(id, 0, unix.IPC_SET, unsafe.Pointer(&s))
	return err
}

// mode lets the owner look at a set and use it.
const mode = 0o600
