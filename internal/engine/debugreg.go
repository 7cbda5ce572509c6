package engine

import (
	"errors"
	"fmt"

	"farcall/internal/ptrace"
)

// ErrNoDebugRegister is returned where a breakpoint would need more debug registers than there are.
var ErrNoDebugRegister = errors.New("all debug registers are in use")

// debugRegisters is how many there are (Intel SDM volume 3, 19.2).
const debugRegisters = 4

// debugSet has the addresses in a thread's debug registers; the kernel does not pass them on to new threads. The last one is the thread's
// own, see Watch; the others are its space's.
type debugSet [debugRegisters]uint64

func (d *debugSet) has(addr uint64) bool {
	for _, a := range d {
		if a == addr && a != 0 {
			return true
		}
	}
	return false
}

// addHardware adds a breakpoint for all threads of a space.
func (e *Engine) addHardware(s *Space, addr uint64) error {
	if debugOffset == 0 {
		return fmt.Errorf("hardware breakpoints on this architecture: %w", errors.ErrUnsupported)
	}
	n := 0
	for _, b := range s.points {
		if b == nil {
			n++
		}
	}
	if n >= debugRegisters-1 {
		return ErrNoDebugRegister
	}
	s.points[addr] = nil
	e.hardwareChanged(s)
	return nil
}

// hardwareChanged has running threads stop, to get the new set. Those that are stopped get it when they are resumed.
func (e *Engine) hardwareChanged(s *Space) {
	for _, t := range e.threads {
		if t.Proc.space == s && t.attached && !t.stopped {
			e.stop(t)
		}
	}
}

// Watch makes t, and no other thread, stop at addr by its own debug register; 0 for nothing. The stop is a hit like others. t has to be
// stopped.
func (t *Thread) Watch(addr uint64) { t.watch = addr }

// setDebug brings a stopped thread's debug registers up to date.
func (e *Engine) setDebug(t *Thread, none bool) {
	var want debugSet
	if s := t.Proc.space; s != nil && s.Hardware && !none {
		i := 0
		for a, b := range s.points {
			if b == nil && i < debugRegisters-1 {
				want[i] = a
				i++
			}
		}
		if t.watch != 0 && !want.has(t.watch) {
			want[debugRegisters-1] = t.watch
		}
		if want.same(&t.debug) {
			return
		}
	}
	if want == t.debug {
		return
	}
	t.debug = want
	// Errors: ESRCH, or registers that are used up by others (perf), and the breakpoint is missed.
	control := uint64(0)
	_ = ptrace.PokeUser(t.TID, debugOffset+8*7, 0)
	for i, a := range want {
		if a != 0 && ptrace.PokeUser(t.TID, debugOffset+8*uint64(i), a) == nil {
			control |= 1 << (2 * i) // local, of an instruction (Intel SDM volume 3, 19.2.4)
		}
	}
	_ = ptrace.PokeUser(t.TID, debugOffset+8*7, control)
}

// same tells whether two sets differ in order only.
func (d *debugSet) same(o *debugSet) bool {
	n, m := 0, 0
	for i := range d {
		if d[i] != 0 {
			n++
			if !o.has(d[i]) {
				return false
			}
		}
		if o[i] != 0 {
			m++
		}
	}
	return n == m
}
