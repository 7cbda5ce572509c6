package seccomp

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"farcall/filter"
	"farcall/syscalls"
)

// TestTreesAgainstInterpreter compiles random trees and compares what they do with what they mean, on arguments at and
// beside the ends of their tests.
func TestTreesAgainstInterpreter(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	data := make([]byte, 400)
	decided := map[Action]int{}
	for range 3000 {
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		r := reader(data)
		var args [6]uint64
		c := r.tree(3, &args)
		if !Fits(c) {
			continue
		}
		s := Spec{Calls: map[syscalls.ABI]Calls{syscalls.AMD64: {Rules: []Rule{{Number: 5, Action: Trace(1), If: c}, {Number: 5, Action: Errno(1), When: []Condition{Equal(0, 1, 1)}}}}}}
		_, in := compile(t, s)
		for range 8 {
			if got, want := in.run(auditArchX86_64, call{number: 5, args: args}), s.Decide(syscalls.AMD64, 5, args); got != want {
				p, _ := Compile(s)
				t.Fatalf("%v: %#x: %v, want %v\n%v", c, args, got, want, p)
			}
			decided[s.Decide(syscalls.AMD64, 5, args)]++
			args[random.IntN(3)] ^= 1 << random.IntN(64)
		}
	}
	if decided[Trace(1)] < 1000 || decided[Errno(1)]+decided[Allow] < 1000 {
		t.Errorf("the trees decide too much alike: %v", decided)
	}
}

// TestTreeLoadsOnce: a list of values is one load and one comparison each.
func TestTreeLoadsOnce(t *testing.T) {
	list := &filter.Cond{Op: filter.CondAny}
	for n := range uint64(5) {
		list.Sub = append(list.Sub, &filter.Cond{Op: filter.CondTest, Test: filter.Test{Reg: 1, Mask: 0xffffffff, Min: 2 * n, Max: 2 * n}})
	}
	if code := tree(list, 1); len(code) != 6 {
		t.Errorf("%v", code)
	}
}

func TestTreesThatDoNotFit(t *testing.T) {
	long := &filter.Cond{Op: filter.CondAny}
	for n := range uint64(300) {
		long.Sub = append(long.Sub, &filter.Cond{Op: filter.CondTest, Test: filter.Test{Mask: 0xff, Min: n, Max: n}})
	}
	for _, c := range []*filter.Cond{long, {Op: filter.CondTest, Test: filter.Test{Reg: 6, Mask: 1}}} {
		_, err := Compile(Spec{Calls: map[syscalls.ABI]Calls{syscalls.AMD64: {Rules: []Rule{{If: c}}}}})
		if !errors.Is(err, ErrTooLong) {
			t.Errorf("%v", err)
		}
	}
	if Fits(long) || !Fits(&filter.Cond{Op: filter.CondAny, Sub: slices.Clone(long.Sub[:100])}) {
		t.Error("Fits")
	}
}
