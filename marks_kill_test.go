package farcall_test

import (
	"bufio"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMarksKill kills the tracer, or the program, or ends the tracer by a signal, at a random point of the marking of several threads. A
// program goes on without its tracer, and no semaphores are left.
func TestMarksKill(t *testing.T) {
	program := markFixture(t, "threads.c")
	for round := range 12 {
		tracer := exec.Command(os.Args[0], "trace", "--marks", "--interruptible=2", "-o", t.TempDir()+"/out", "--", program, "4", "20000")
		tracer.Args[0] = "farcall" // see TestMain
		in, _ := tracer.StdinPipe()
		out, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		tracer.Stdout = w
		if err := tracer.Start(); err != nil {
			t.Fatal(err)
		}
		w.Close()
		lines := bufio.NewScanner(out)
		lines.Scan() // "ready"
		pid := onlyChild(t, tracer.Process.Pid)
		_, _ = io.WriteString(in, "go\n")
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond) // where it hits does not matter
		switch round % 3 {
		case 0:
			_ = tracer.Process.Kill()
			if !lines.Scan() || lines.Text() != "done" {
				t.Errorf("without its tracer the program says %q", lines.Text())
			}
			_ = tracer.Wait()
		case 1:
			_ = tracer.Process.Signal(syscall.SIGTERM)
			_ = tracer.Wait()
			if hasMarkSet(t, pid) {
				t.Errorf("round %d: the tracer has left the semaphores of process %d", round, pid)
			}
			_ = syscall.Kill(pid, syscall.SIGKILL) // ESRCH: it is dead
		case 2:
			_ = syscall.Kill(pid, syscall.SIGKILL)
			_ = tracer.Wait()
			if ws := tracer.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != syscall.SIGKILL {
				t.Errorf("of a killed program the tracer says %v", ws)
			}
		}
		out.Close()
		if hasMarkSet(t, pid) {
			t.Errorf("round %d: the semaphores of process %d are still there", round, pid)
		}
	}
}

// onlyChild is the only child of a process.
func onlyChild(t *testing.T, pid int) int {
	t.Helper()
	dir := "/proc/" + strconv.Itoa(pid) + "/task"
	tasks, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		text, _ := os.ReadFile(dir + "/" + task.Name() + "/children")
		if f := strings.Fields(string(text)); len(f) > 0 {
			n, _ := strconv.Atoi(f[0])
			return n
		}
	}
	t.Fatal("no child")
	return 0
}
