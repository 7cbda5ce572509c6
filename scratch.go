package farcall

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"farcall/internal/engine"
	"farcall/syscalls"
)

// Scratch memory: where new contents for a pointer argument go. Nothing of the program's own is safe to write to: what the
// pointer points to may be a constant, shared or in use; the stack has a red zone, and may be a signal
// stack or a goroutine's, of which nobody but the program knows the end. So the thread is made to map pages of its own
// (engine.Thread.Execute), which are used again for later calls and stay mapped until the program executes another one or ends.
// Each call has places of its own there, until its exit.

// A space is the scratch memory of one address space.
type space struct {
	free []place
}

// A place is a piece of scratch memory.
type place struct {
	addr uint64
	size uint64
}

const (
	scratchPage = 4096
	scratchArea = 16 * scratchPage // mapped at once; pages that are not written to cost nothing
	maxScratch  = 1 << 24          // of one argument
	lowEnd      = 1 << 32          // what 32-bit calls can reach
)

// mmapNumbers of the ABIs; that of i386 is mmap2.
var mmapNumbers = [syscalls.NumABI]int64{syscalls.AMD64: 9, syscalls.I386: 192, syscalls.X32: syscalls.X32Bit | 9, syscalls.ARM64: 222}

// take finds room for size bytes, below limit.
func (s *space) take(size, limit uint64) (place, bool) {
	for i, p := range s.free {
		if p.size < size || p.addr+p.size > limit {
			continue
		}
		got := place{p.addr, size}
		if p.size == size {
			s.free = append(s.free[:i], s.free[i+1:]...)
		} else {
			s.free[i] = place{p.addr + size, p.size - size}
		}
		return got, true
	}
	return place{}, false
}

// give returns a place, joining it to its neighbours.
func (s *space) give(p place) {
	for i := 0; i < len(s.free); {
		switch q := s.free[i]; {
		case q.addr+q.size == p.addr:
			p = place{q.addr, q.size + p.size}
		case p.addr+p.size == q.addr:
			p.size += q.size
		default:
			i++
			continue
		}
		s.free = append(s.free[:i], s.free[i+1:]...)
		i = 0
	}
	s.free = append(s.free, p)
}

func spaceOf(t *engine.Thread) *space {
	s, ok := t.Proc.User.(*space)
	if !ok {
		s = new(space)
		t.Proc.User = s
	}
	return s
}

// inherit gives a new process its scratch memory: that of its parent if they share memory, otherwise a copy, as the kernel has copied
// the pages.
func (s *sink) inherit(parent, child *engine.Thread, how engine.How) {
	if parent.Proc == child.Proc || parent.Proc.User == nil {
		return
	}
	if engine.SharesMemory(parent, child, how) {
		child.Proc.User = parent.Proc.User
		return
	}
	child.Proc.User = &space{append([]place(nil), spaceOf(parent).free...)}
}

// ErrNoScratch is wrapped by errors about memory that a program cannot be given.
var ErrNoScratch = errors.New("no memory for it in the program")

// place reserves scratch memory until the exit of the call.
func (h *handling) place(size int) (place, error) {
	t := h.call.Task
	if size > maxScratch {
		return place{}, fmt.Errorf("set argument: %d bytes, at most %d are possible: %w", size, maxScratch, ErrNoScratch)
	}
	limit := ^uint64(0)
	if t.ABI == syscalls.I386 || t.ABI == syscalls.X32 {
		limit = lowEnd
	}
	need := (uint64(max(size, 1)) + scratchPage - 1) &^ (scratchPage - 1)
	s := spaceOf(t.thread)
	p, ok := s.take(need, limit)
	if !ok {
		area := max(need, scratchArea)
		addr, err := h.mapPages(area)
		if err != nil {
			return place{}, err
		}
		s = spaceOf(t.thread)
		s.give(place{addr, area})
		if p, ok = s.take(need, limit); !ok {
			return place{}, fmt.Errorf("set argument: %w", ErrNoScratch)
		}
	}
	h.places = append(h.places, p)
	return p, nil
}

func (h *handling) mapPages(size uint64) (uint64, error) {
	abi := h.call.Task.ABI
	args := [6]uint64{0, size, unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS, ^uint64(0), 0}
	ret, err := h.call.Execute(uint64(mmapNumbers[abi]), args)
	switch {
	case err != nil:
		return 0, err
	case engine.Failed(ret):
		return 0, fmt.Errorf("set argument: mmap: %w: %w", unix.Errno(-ret), ErrNoScratch)
	}
	if abi == syscalls.I386 {
		ret = int64(uint32(ret))
	}
	return uint64(ret), nil
}

// freePlaces gives the scratch memory of a call back at its exit.
func (h *handling) freePlaces() {
	for _, p := range h.places {
		spaceOf(h.call.thread).give(p)
	}
	h.places, h.loans = h.places[:0], h.loans[:0]
}

// Execute makes the thread execute another call of the same ABI, before its own, which stays as it is, and returns the result: a value, or a
// negated errno. It works before next only. The program does not notice it, nor do observers; the
// program's own seccomp filters apply. Calls that do not return or return twice are not possible: execve, exit, fork, clone, rt_sigreturn.
//
// Errors: ErrGone if the thread ends meanwhile; ESRCH; one that says that it is too late.
func (c *Call) Execute(number uint64, args [6]uint64) (int64, error) {
	h := c.handling
	if h.gone {
		return 0, ErrGone
	}
	if c.done || c.answered {
		return 0, errors.New("execute: the call has been answered already")
	}
	finished := false
	err := c.thread.Execute(int64(number), args, func(ret int64) {
		h.result, finished = ret, true
		h.run()
	})
	if err != nil {
		return 0, err
	}
	for !finished && !h.gone {
		if !h.yield(forExecution) {
			break
		}
	}
	if !finished {
		return 0, ErrGone
	}
	return h.result, nil
}
