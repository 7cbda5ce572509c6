package middleware_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"farcall"
	"farcall/filter"
	"farcall/middleware"
)

// trace runs a program under middleware, its output being the example's.
func trace(calls string, cmd *exec.Cmd, ms ...farcall.Middleware) {
	set, err := filter.ParseCallSet(calls)
	if err != nil {
		panic(err)
	}
	out, err := os.CreateTemp("", "example-*")
	if err != nil {
		panic(err)
	}
	defer os.Remove(out.Name())
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	tracer := farcall.New(farcall.Options{Follow: true, Calls: set})
	for _, m := range ms {
		tracer.Use(m)
	}
	err = tracer.Run(context.Background(), cmd)
	text, _ := os.ReadFile(out.Name())
	fmt.Print(string(text))
	if err != nil {
		fmt.Println(err)
	}
}

// A program that asks for one file gets another.
func ExampleRedirectPath() {
	dir, _ := os.MkdirTemp("", "example-*")
	defer os.RemoveAll(dir)
	other := filepath.Join(dir, "a-file-with-a-longer-name")
	_ = os.WriteFile(other, []byte("from elsewhere\n"), 0o600)
	trace("%file", exec.Command("cat", "/etc/fc"), middleware.RedirectPath("/etc/fc", other))
	// Output: from elsewhere
}

// date and python3 believe that it is the year 2000; the vDSO, which would know better, is hidden from them.
func ExampleFakeClock() {
	then := func() time.Time { return time.Date(2000, 1, 2, 3, 4, 5, 0, time.UTC) }
	const calls = "execve,execveat,clock_gettime,clock_gettime64,gettimeofday,time"
	trace(calls, exec.Command("sh", "-c", "date; /usr/bin/python3 -SEc 'import time; print(int(time.time()))'"),
		middleware.NoVDSO(), middleware.FakeClock(then))
	// Output:
	// Sun Jan  2 03:04:05 UTC 2000
	// 946782245
}

// A program cannot make internet sockets; UNIX sockets it can.
func ExampleDenyNetwork() {
	trace("socket", exec.Command("/usr/bin/python3", "-SEc", `
import socket
socket.socket(socket.AF_UNIX).close()
try:
    socket.create_connection(("127.0.0.1", 9))
except OSError as e:
    print(e.strerror)
`), middleware.DenyNetwork())
	// Output: Permission denied
}

// What one run reads is what the next one is given, though the file has changed.
func ExampleTape() {
	dir, _ := os.MkdirTemp("", "example-*")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "input")
	_ = os.WriteFile(path, []byte("as it was\n"), 0o600)
	var tape middleware.Tape
	trace("read", exec.Command("head", "-n", "1", path), tape.Record(path))
	_ = os.WriteFile(path, []byte("as it is\n"), 0o600)
	trace("read", exec.Command("head", "-n", "1", path), tape.Play(path))
	// Output:
	// as it was
	// as it was
}
