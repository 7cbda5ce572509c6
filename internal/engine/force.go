package engine

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// ForceWrite writes to the memory of t even where the program itself could not, such as to its constants, as a debugger
// does (FOLL_FORCE, by /proc/PID/mem). Error: an errno, EIO where nothing is mapped.
func (t *Thread) ForceWrite(addr uint64, b []byte) error {
	fd, err := unix.Open("/proc/"+strconv.Itoa(t.TID)+"/mem", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for len(b) > 0 {
		n, err := unix.Pwrite(fd, b, int64(addr))
		if err != nil {
			return err
		}
		addr, b = addr+uint64(n), b[n:]
	}
	return nil
}
