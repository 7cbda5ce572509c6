package marks

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"farcall/internal/ptrace"

	"golang.org/x/sys/unix"
)

// Errors of sets.
var (
	ErrRemoved = errors.New("the set of semaphores was removed")
	ErrTaken   = errors.New("another set of semaphores has its key")
	ErrNobody  = errors.New("\"attach\" was posted, and no thread waits for \"target\"")
	ErrForeign = errors.New("it is in another IPC namespace")
)

// A Set is the semaphores of one process. Its methods may be called from any goroutine.
type Set struct {
	ID  int
	PID int // the process, as the tracer sees it
	Key int32
}

// Create makes the set for a process, which should be stopped or not have begun.
//
// How the tracer's death is noticed: a semaphore's SEM_UNDO adjustment, which the kernel applies when this process ends in whatever way
// (semop(2)), is left on "target" and "detach". By it every thread that waits goes on at once, and the value tells
// later ones, and Leftovers, that nobody is there.
//
// Errors, wrapped: ErrForeign; ErrTaken; ENOSYS without System V semaphores in the kernel; ENOSPC; ESRCH.
func Create(pid int) (*Set, error) {
	p, err := readProcess(pid)
	if err != nil {
		return nil, err
	}
	key := Key(p.inner)
	id, err := semget(key, semCount, unix.IPC_CREAT|unix.IPC_EXCL|mode)
	if err == unix.EEXIST {
		if id, err = semget(key, 0, 0); err != nil || !isLeftover(id) || remove(id) != nil {
			return nil, ErrTaken
		}
		id, err = semget(key, semCount, unix.IPC_CREAT|unix.IPC_EXCL|mode)
	}
	if err != nil {
		return nil, fmt.Errorf("semget: %w", err)
	}
	s := &Set{ID: id, PID: pid, Key: key}
	if err := give(id, p.uid, p.gid); err != nil {
		_ = s.Remove()
		return nil, fmt.Errorf("semctl: %w", err)
	}
	// All at once: with the guard free the set can be used.
	err = semop(id,
		operation{semTarget, deathPost, 0}, operation{semTarget, -deathPost, semUndo},
		operation{semDetach, deathPost, 0}, operation{semDetach, -deathPost, semUndo},
		operation{semGuard, 1, 0})
	if err != nil {
		_ = s.Remove()
		return nil, fmt.Errorf("semop: %w", err)
	}
	return s, nil
}

// Wait waits until a thread has posted "attach".
//
// Error: ErrRemoved.
func (s *Set) Wait() error {
	for {
		switch err := semop(s.ID, operation{semAttach, -1, 0}); err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return ErrRemoved
		}
	}
}

// patience is how long a thread that has posted "attach" may take until it waits.
var patience = 5 * time.Second

// Caller finds the thread that waits at a step, and the address of its record. hint is a thread to look at first, 0 for none.
// mem is that thread's memory then.
//
// Errors: ErrNobody, ErrRemoved.
func (s *Set) Caller(step Step, hint int, mem *ptrace.Memory) (tid int, record uint64, err error) {
	deadline := time.Now().Add(patience)
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, 5*time.Millisecond) {
		if record, ok := s.calls(step, hint, mem); ok {
			return hint, record, nil
		}
		tasks, err := os.ReadDir(taskDir(s.PID))
		if err != nil {
			return 0, 0, ErrRemoved
		}
		for _, t := range tasks {
			tid, _ := strconv.Atoi(t.Name())
			if record, ok := s.calls(step, tid, mem); ok {
				return tid, record, nil
			}
		}
		if _, err := semctl(s.ID, semTarget, getVal, nil); err != nil {
			return 0, 0, ErrRemoved
		}
		if time.Now().After(deadline) {
			return 0, 0, ErrNobody
		}
		time.Sleep(pause) // it is between its two calls
	}
}

// calls tells whether a thread waits at a step for an answer. One that was answered, and that the kernel is about to wake, looks as
// if it waited still; its record tells. It clears the reply once it goes on, and so has to be seen waiting afterwards as
// well: it cannot have come back to this step, as another holds the guard.
func (s *Set) calls(step Step, tid int, mem *ptrace.Memory) (record uint64, ok bool) {
	record, ok = s.waits(step, tid)
	if !ok {
		return 0, false
	}
	if mem.PID() != tid { // the thread that it was of may have ended
		mem.Reset(tid)
	}
	fresh := unanswered(mem, record)
	again, ok := s.waits(step, tid)
	return record, ok && fresh && again == record
}

func taskDir(pid int) string { return "/proc/" + strconv.Itoa(pid) + "/task" }

// waits tells whether a thread is in the call of a step, by what the kernel says of its present system call: its number and arguments (proc(5), /proc/pid/syscall).
func (s *Set) waits(step Step, tid int) (record uint64, ok bool) {
	if tid == 0 {
		return 0, false
	}
	text, err := os.ReadFile(taskDir(s.PID) + "/" + strconv.Itoa(tid) + "/syscall")
	if err != nil {
		return 0, false
	}
	f := strings.Fields(string(text))
	if len(f) < 7 || f[0] != strconv.Itoa(unix.SYS_SEMTIMEDOP) {
		return 0, false
	}
	var args [6]uint64
	for i := range args {
		if args[i], err = strconv.ParseUint(f[i+1], 0, 64); err != nil {
			return 0, false
		}
	}
	is, record, ok := StepOf(&args)
	return record, ok && is == step && int(args[0]) == s.ID
}

// Grant posts "target": the thread that waits goes on.
func (s *Set) Grant() error { return semop(s.ID, operation{semTarget, 1, unix.IPC_NOWAIT}) }

// Release takes "target-exit" and posts "detach". It does not wait: EAGAIN means that "target-exit" was not posted.
func (s *Set) Release() error {
	return semop(s.ID, operation{semTargetExit, -1, unix.IPC_NOWAIT}, operation{semDetach, 1, unix.IPC_NOWAIT})
}

// Remove removes the set. Whoever waits goes on.
//
// Error: ErrRemoved if somebody else has done so.
func (s *Set) Remove() error {
	if remove(s.ID) != nil {
		return ErrRemoved
	}
	return nil
}

func remove(id int) error {
	_, err := semctl(id, 0, unix.IPC_RMID, nil)
	return err
}

// A process is what has to be known of one.
type process struct {
	inner    int // its id as it sees itself
	uid, gid uint32
}

func readProcess(pid int) (process, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	own, err := os.Readlink("/proc/self/ns/ipc")
	theirs, terr := os.Readlink(dir + "/ns/ipc")
	if err == nil && terr == nil && own != theirs {
		return process{}, ErrForeign
	}
	f, err := os.Open(dir + "/status")
	if err != nil {
		return process{}, unix.ESRCH
	}
	defer f.Close()
	p := process{inner: pid}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		v := strings.Fields(value)
		switch {
		case name == "NSpid" && len(v) > 0:
			p.inner, _ = strconv.Atoi(v[len(v)-1])
		case name == "Uid" && len(v) > 1:
			p.uid = number(v[1])
		case name == "Gid" && len(v) > 1:
			p.gid = number(v[1])
		}
	}
	return p, nil
}

func number(s string) uint32 {
	n, _ := strconv.ParseUint(s, 10, 32)
	return uint32(n)
}
