package seccomp

import (
	"errors"
	"fmt"

	"farcall/filter"
	"farcall/syscalls"
)

// A Spec says what happens to every call. Its zero value allows everything.
type Spec struct {
	// Calls has an entry for each ABI that is to be distinguished. AMD64 and X32 are one architecture to
	// the kernel, told apart by the number; a number below zero counts as AMD64.
	Calls map[syscalls.ABI]Calls
	// Other is the action for the ABIs that have no entry.
	Other Action
}

// Calls are the rules for one ABI.
type Calls struct {
	// Default is the action for calls without a rule, and for those none of whose rules applies.
	Default Action
	// Rules are looked through in order for each number: the first that applies decides.
	Rules []Rule
}

// A Rule is an action for one number, or for one number with certain arguments.
type Rule struct {
	Number uint32 // as the ABI's table has it; for X32 with or without syscalls.X32Bit
	Action Action
	When   []Condition // all have to hold; at most MaxConditions
	// If, when not nil, has to hold too; see Fits.
	If *filter.Cond
}

// A Condition holds if argument Arg & Mask, as a 64-bit unsigned number, is in Min..Max. Equal and AnyBit
// are the usual ones. The arguments of 32-bit ABIs are zero-extended. For an int in a 64-bit ABI the mask
// should be 0xffffffff: the upper half of the register may be anything.
type Condition struct {
	Arg      int    // 0 to 5
	Mask     uint64 // 0 means all bits
	Min, Max uint64
}

// Equal holds if the bits of argument arg that are in mask are those of value.
func Equal(arg int, mask, value uint64) Condition {
	return Condition{Arg: arg, Mask: mask, Min: value, Max: value}
}

// AnyBit holds if any of the bits of mask is set in argument arg; mask must not be 0.
func AnyBit(arg int, mask uint64) Condition {
	return Condition{Arg: arg, Mask: mask, Min: 1, Max: ^uint64(0)}
}

// Limits of a Spec.
const (
	// MaxConditions of one rule: the code for them must stay within reach of a conditional jump.
	MaxConditions = 16
	// MaxInstructions of a program (BPF_MAXINSNS, include/uapi/linux/bpf_common.h).
	MaxInstructions = 4096
)

// ErrTooLong is wrapped by Compile's error if the program exceeds MaxInstructions. A caller can
// fall back to a coarser Spec.
var ErrTooLong = errors.New("filter is longer than the kernel accepts")

// mask is the mask in effect.
func (c Condition) mask() uint64 {
	if c.Mask == 0 {
		return ^uint64(0)
	}
	return c.Mask
}

// holds is the meaning of a condition, which the compiled program must reproduce.
func (c Condition) holds(args *[6]uint64) bool {
	v := args[c.Arg] & c.mask()
	return c.Min <= v && v <= c.Max
}

// check refuses what cannot be compiled.
func (s *Spec) check() error {
	for abi, calls := range s.Calls {
		if _, ok := auditArch[abi]; !ok {
			return fmt.Errorf("seccomp: compile: no audit architecture for %v", abi)
		}
		for _, r := range calls.Rules {
			if abi != syscalls.X32 && r.Number >= syscalls.X32Bit || r.Number&^syscalls.X32Bit >= syscalls.X32Bit {
				return fmt.Errorf("seccomp: compile: %v call number %#x is out of range", abi, r.Number)
			}
			if len(r.When) > MaxConditions {
				return fmt.Errorf("seccomp: compile: %v call %d has a rule with %d conditions, at most %d are possible",
					abi, r.Number, len(r.When), MaxConditions)
			}
			if r.If != nil && (!inRange(r.If) || r.If.Size() > maxSkip || len(r.code()) > maxSkip) {
				return fmt.Errorf("seccomp: compile: %v call %d has a tree of %d conditions that is too long, or about no argument: %w",
					abi, r.Number, r.If.Size(), ErrTooLong)
			}
			for _, c := range r.When {
				if c.Arg < 0 || c.Arg > 5 {
					return fmt.Errorf("seccomp: compile: %v call %d has a condition on argument %d", abi, r.Number, c.Arg)
				}
			}
		}
	}
	return nil
}

// inRange tells whether a tree is about arguments that exist.
func inRange(c *filter.Cond) bool {
	for _, s := range c.Sub {
		if !inRange(s) {
			return false
		}
	}
	return c.Op != filter.CondTest || c.Test.Reg >= 0 && c.Test.Reg < 6
}

// Decide is what the filter made from the Spec will return for a call: the definition that the compiler is
// tested against, and an answer for whoever wants to predict it. number is what the kernel puts into
// seccomp_data: for X32 with its bit.
func (s *Spec) Decide(abi syscalls.ABI, number uint32, args [6]uint64) Action {
	calls, ok := s.Calls[abi]
	if !ok {
		return s.Other
	}
	for _, r := range calls.Rules {
		want := r.Number
		if abi == syscalls.X32 {
			want |= syscalls.X32Bit
		}
		if want != number {
			continue
		}
		all := r.If == nil || r.If.Holds(&args)
		for _, c := range r.When {
			all = all && c.holds(&args)
		}
		if all {
			return r.Action
		}
	}
	return calls.Default
}
