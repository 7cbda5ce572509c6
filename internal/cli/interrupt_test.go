package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// children lists the processes whose parent is pid.
func children(pid int) (out []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range files {
		b, _ := os.ReadFile(f)
		for w := range strings.FieldsSeq(string(b)) {
			var n int
			if _, err := fmt.Sscan(w, &n); err == nil {
				out = append(out, n)
			}
		}
	}
	return out
}

// pausing tells whether a traced process sleeps in a call.
func pausing(pid int) bool {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	call, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
	return bytes.Contains(status, []byte("State:\tS")) && !bytes.Contains(status, []byte("TracerPid:\t0\n")) &&
		len(call) > 0 && !bytes.HasPrefix(call, []byte("running"))
}

// interrupted sends a signal to a tracer whose tracee waits, and tells what the tracer has written, how it ended, and whether the
// tracee lives on.
func interrupted(t *testing.T, path, fixture string, options []string, attach bool, sig syscall.Signal) string {
	t.Helper()
	target := 0
	argv := append([]string{"strace"}, options...)
	if attach {
		cmd := exec.Command(fixture, "waits")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
		target = cmd.Process.Pid
		argv = append(argv, "-p", fmt.Sprint(target))
	} else {
		argv = append(argv, fixture, "waits")
	}
	stdout, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	var stderr bytes.Buffer
	cmd := &exec.Cmd{Path: path, Args: argv, Stdout: w, Stderr: &stderr, WaitDelay: 10 * time.Second,
		Env: []string{"PATH=" + os.Getenv("PATH")}, SysProcAttr: &syscall.SysProcAttr{Setpgid: true}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if !attach {
		if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if c := children(cmd.Process.Pid); len(c) > 0 {
			target = c[0]
		}
	}
	for range 30_000 {
		if pausing(target) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if !pausing(target) {
		t.Fatalf("%s: process %d is not waiting", path, target)
	}
	_ = cmd.Process.Signal(sig)
	watchdog := time.AfterFunc(time.Minute, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer watchdog.Stop()
	_ = cmd.Wait()
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	text := strings.ReplaceAll(stderr.String(), fmt.Sprint(target), "PID")
	if i := strings.Index(text, "pause("); i >= 0 {
		text = text[i:]
	}
	return fmt.Sprintf("%v %d lives %v\n%s", ws.Signal(), ws.ExitStatus(), attach && syscall.Kill(target, 0) == nil, text)
}

func TestInterruptsLikeStrace(t *testing.T) {
	tr := needTracers(t)
	for _, tt := range []struct {
		options string
		attach  bool
		sig     syscall.Signal
	}{
		{"", false, syscall.SIGINT}, {"-q", false, syscall.SIGTERM}, {"-f", false, syscall.SIGHUP}, {"-ff", false, syscall.SIGQUIT},
		{"", true, syscall.SIGINT}, {"-f", true, syscall.SIGTERM}, {"-qq", true, syscall.SIGINT}, {"-c", true, syscall.SIGINT},
		{"-z", true, syscall.SIGINT}, {"-e status=detached", true, syscall.SIGINT}, {"-e trace=none", true, syscall.SIGINT},
	} {
		t.Run(fmt.Sprintf("%s %v attach=%v", tt.options, tt.sig, tt.attach), func(t *testing.T) {
			options := strings.Fields(tt.options)
			var theirs, ours string
			for range 3 {
				theirs = interrupted(t, tr.strace, tr.fixture, options, tt.attach, tt.sig)
				if ours = interrupted(t, tr.farcall, tr.fixture, options, tt.attach, tt.sig); ours == theirs {
					return
				}
			}
			t.Errorf("strace: %s\nfarcall: %s", theirs, ours)
		})
	}
}
