package farcall_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"farcall"
	"farcall/event"
	"farcall/filter"

	"golang.org/x/sys/unix"
)

// A small strace: every call of a program, decoded, on standard error.
func Example() {
	text := event.NewText(os.Stderr, event.TextOptions{Columns: 40})
	tracer := farcall.New(farcall.Options{})
	tracer.Observe(func(_ *farcall.Task, ev *event.Event) {
		_ = text.Encode(ev)
	})
	cmd := exec.Command("/bin/true")
	if err := tracer.Run(context.Background(), cmd); err != nil {
		fmt.Println(err)
	}
	_ = text.Flush()
	// Output:
}

// Count how often a program calls what. Nothing is decoded, as only names are needed.
func ExampleTracer_Observe() {
	count := map[string]int{}
	tracer := farcall.New(farcall.Options{Undecoded: true})
	tracer.Observe(func(_ *farcall.Task, ev *event.Event) {
		if ev.Kind == event.CallEntry {
			count[ev.Call.Desc.Name]++
		}
	})
	if err := tracer.Run(context.Background(), exec.Command("/bin/true")); err != nil {
		fmt.Println(err)
	}
	fmt.Println("execve:", count["execve"], "exit_group:", count["exit_group"])
	// Output: execve: 1 exit_group: 1
}

// Refuse to open one file. All calls but openat run at native speed, as the kernel's
// seccomp filter does not stop for them.
func ExampleTracer_Use() {
	calls, err := filter.ParseCallSet("openat")
	if err != nil {
		fmt.Println(err)
		return
	}
	tracer := farcall.New(farcall.Options{Follow: true, Calls: calls})
	tracer.Use(func(next farcall.Handler) farcall.Handler {
		return func(ctx context.Context, call *farcall.Call) error {
			if file := call.Value("filename"); file != nil && string(file.Bytes) == "/etc/hostname" {
				return call.Fail(unix.EACCES)
			}
			return next(ctx, call)
		}
	})
	cmd := exec.Command("/bin/cat", "/etc/hostname")
	cmd.Env = []string{"LC_ALL=C"}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	fmt.Println(tracer.Run(context.Background(), cmd))
	// Output:
	// /bin/cat: /etc/hostname: Permission denied
	// exit status 1
}

// Refuse to open files inside main only: the loader, which opens libraries before it, is not disturbed. Outside of the
// region the program runs without stops.
func ExampleRegions() {
	tracer := farcall.New(farcall.Options{Regions: farcall.Regions{In: []string{"main"}}})
	tracer.Use(func(next farcall.Handler) farcall.Handler {
		return func(ctx context.Context, call *farcall.Call) error {
			if call.Name() == "openat" {
				return call.Fail(unix.EACCES)
			}
			return next(ctx, call)
		}
	})
	cmd := exec.Command("/bin/cat", "/etc/hostname")
	cmd.Env = []string{"LC_ALL=C"}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	fmt.Println(tracer.Run(context.Background(), cmd))
	// Output:
	// /bin/cat: /etc/hostname: Permission denied
	// exit status 1
}
