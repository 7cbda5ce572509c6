package marks

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Supported tells whether the kernel has System V semaphores.
func Supported() bool {
	_, err := semget(keyBase, 0, 0) // of process 0, which is none
	return err != unix.ENOSYS
}

// A Leftover is a set whose tracer was killed before it could remove it.
type Leftover struct {
	ID  int
	PID int // the process that it was for, as that sees itself; it may be gone
	UID int // owner
}

// newborn is how long a set may be without its first operation.
const newborn = 10 * time.Second

// Leftovers lists the sets of dead tracers in this IPC namespace. Those that may not be looked at are not listed.
func Leftovers() ([]Leftover, error) {
	text, err := os.ReadFile("/proc/sysvipc/sem")
	if err != nil {
		if os.IsNotExist(err) {
			return nil, nil // a kernel without them
		}
		return nil, fmt.Errorf("list semaphores: %w", err)
	}
	var left []Leftover
	for _, line := range strings.Split(string(text), "\n") {
		// key semid perms nsems uid gid cuid cgid otime ctime
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != strconv.Itoa(semCount) {
			continue
		}
		key, err := strconv.ParseInt(f[0], 10, 32)
		pid, ours := pidOf(int32(key))
		if err != nil || !ours {
			continue
		}
		id, _ := strconv.Atoi(f[1])
		uid, _ := strconv.Atoi(f[4])
		used, changed := seconds(f[8]), seconds(f[9])
		unfinished := used == 0 && time.Since(time.Unix(changed, 0)) > newborn
		if isLeftover(id) || unfinished {
			left = append(left, Leftover{ID: id, PID: pid, UID: uid})
		}
	}
	return left, nil
}

func seconds(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// Remove removes it. Errors are those of semctl(2): EPERM for the set of another user.
func (l Leftover) Remove() error { return remove(l.ID) }

// isLeftover tells whether the tracer that made a set has died.
func isLeftover(id int) bool {
	v, err := semctl(id, semTarget, getVal, nil)
	return err == nil && v > dead
}

// Clean removes the sets of dead tracers as far as it may, and returns those that it has removed.
func Clean() []Leftover {
	left, _ := Leftovers()
	removed := left[:0]
	for _, l := range left {
		if l.Remove() == nil {
			removed = append(removed, l)
		}
	}
	return removed
}
