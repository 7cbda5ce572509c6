package farcall_test

import (
	"runtime"
	"testing"

	"farcall"
	"farcall/action"
	"farcall/event"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// What is decided by the number alone is done by the filter, unseen, unless the trace wants the call or there is no filter.
func TestRefuse(t *testing.T) {
	for _, tc := range []struct {
		name, calls string
		seccomp     farcall.SeccompMode
		inKernel    bool
		shown       int
	}{
		{"by the filter", "none", farcall.SeccompAuto, true, 0},
		{"shown", "uname", farcall.SeccompAuto, false, 1},
		{"no filter", "none", farcall.SeccompOff, false, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			refuse, rest := action.Kernel([]action.Rule{{Calls: calls(t, "uname,execve"), Actions: []action.Action{action.Fail(unix.EPERM)}}})
			if len(refuse) != 1 || len(rest) != 0 {
				t.Fatalf("%d refusals, %d rules left", len(refuse), len(rest))
			}
			tr := farcall.New(farcall.Options{Follow: true, Calls: calls(t, tc.calls), Seccomp: tc.seccomp, Refuse: refuse})
			nr, _ := native().Number("uname")
			if got := tr.InKernel().Has(native(), nr); got != tc.inKernel {
				t.Errorf("in the kernel: %v, want %v", got, tc.inKernel)
			}
			shown := 0
			tr.Observe(func(_ *farcall.Task, ev *event.Event) {
				if ev.Kind == event.CallExit && ev.Call.Desc.Name == "uname" {
					shown++
				}
			})
			cmd, output := command(t, "uname", "-s")
			_ = run(t, tr, cmd)
			if output() != "uname: cannot get system name: Operation not permitted\n" {
				t.Errorf("output %q", output())
			}
			if shown != tc.shown {
				t.Errorf("shown %d times, want %d", shown, tc.shown)
			}
		})
	}
}

func TestKernelKeepsTheOrderOfRules(t *testing.T) {
	fail := []action.Action{action.Fail(unix.EPERM)}
	refuse, rest := action.Kernel([]action.Rule{
		{Calls: calls(t, "read"), When: action.Only(3), Actions: fail},
		{Calls: calls(t, "read"), Actions: fail},  // the rule above decides on the third
		{Calls: calls(t, "write"), Actions: fail}, // nothing stands in its way
		{Calls: calls(t, "openat"), Actions: []action.Action{action.Fail(unix.EPERM), action.Kill()}},
	})
	if len(refuse) != 1 || len(rest) != 3 {
		t.Errorf("%d refusals, %d rules left; want 1 and 3", len(refuse), len(rest))
	}
}

// native is the ABI of this machine.
func native() syscalls.ABI {
	if runtime.GOARCH == "arm64" {
		return syscalls.ARM64
	}
	return syscalls.AMD64
}
