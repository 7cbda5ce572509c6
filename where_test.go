package farcall_test

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"testing"

	"farcall"
	"farcall/event"
	"farcall/filter"
)

// TestConditionsNarrowAlike traces a program by a condition in three ways: the tracer sees every call and asks the condition; it
// asks the registers first; the kernel does. The calls are the same.
func TestConditionsNarrowAlike(t *testing.T) {
	for _, text := range []string{
		`args.flags has O_CLOEXEC and args.filename glob "/etc/*"`,
		`args.fd in (0, 1) and not args.count > 10`,
		`fd >= 3 and ret in 1..100k`,
		`args.dfd == AT_FDCWD and failed`,
		`args.prot has PROT_EXEC or args.cmd == TCGETS`,
		`fd.path glob "*/hostname" and args.count != 1`,
		`name not in %memory and arg0 > 0xffffffff`,
	} {
		expr, err := filter.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		reach := expr.Reach(filter.Table{})
		var seen [3]int
		var matched [3][]string
		for i, options := range []farcall.Options{
			{},
			{Calls: reach.Calls, When: reach.When, Seccomp: farcall.SeccompOff},
			{Calls: reach.Calls, When: reach.When},
		} {
			program, err := expr.Compile(filter.Table{})
			if err != nil {
				t.Fatal(err)
			}
			tracer := farcall.New(options)
			var entry filter.Truth
			tracer.Observe(func(task *farcall.Task, ev *event.Event) {
				switch ev.Kind {
				case event.CallEntry:
					seen[i]++
					entry = program.Entry(task.Env())
				case event.CallExit:
					if entry == filter.True || entry == filter.Unknown && program.Exit(task.Env()) {
						matched[i] = append(matched[i], fmt.Sprintf("%s %v", ev.Call.Desc.Name, ev.Call.Failed))
					}
				}
			})
			if err := tracer.Run(context.Background(), exec.Command("cat", "/etc/hostname", "-")); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(matched[0], matched[1]) || !slices.Equal(matched[0], matched[2]) {
			t.Errorf("%s: %q, %q, %q", text, matched[0], matched[1], matched[2])
		}
		if len(matched[0]) == 0 || seen[1] >= seen[0] || seen[2] > seen[1] {
			t.Errorf("%s: %d calls matched of %d, %d and %d that were seen", text, len(matched[0]), seen[0], seen[1], seen[2])
		}
	}
}

// ExampleTask_Env prints the files that a program looks for in vain.
func ExampleTask_Env() {
	missing, err := filter.Parse(`name == openat and args.filename glob "*/no such *" and errno == ENOENT`)
	if err != nil {
		panic(err)
	}
	program, err := missing.Compile(filter.Table{})
	if err != nil {
		panic(err)
	}
	reach := missing.Reach(filter.Table{})
	tracer := farcall.New(farcall.Options{Calls: reach.Calls, When: reach.When})
	var entry filter.Truth
	tracer.Observe(func(task *farcall.Task, ev *event.Event) {
		switch ev.Kind {
		case event.CallEntry:
			entry = program.Entry(task.Env())
		case event.CallExit:
			if entry == filter.Unknown && program.Exit(task.Env()) {
				fmt.Printf("%s\n", ev.Call.Args[1].Bytes)
			}
		}
	})
	_ = tracer.Run(context.Background(), exec.Command("cat", "/no such file")) // cat fails
	// Output: /no such file
}
