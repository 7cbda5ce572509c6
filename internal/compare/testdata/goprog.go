// Command goprog is a static program with a runtime of its own: goroutines, files, a child process, sleeping.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

func main() {
	// Which thread runs a goroutine is chance; what main does stays on one.
	runtime.LockOSThread()
	done := make(chan int)
	for i := range 4 {
		go func() { done <- i }()
	}
	sum := 0
	for range 4 {
		sum += <-done
	}
	time.Sleep(5 * time.Millisecond)
	if err := os.WriteFile("goprog.out", []byte(strings.Repeat("x", 5000)), 0o600); err != nil {
		fmt.Println(err)
	}
	cmd := exec.Command("/bin/echo", "child")
	cmd.Stdout = os.Stdout
	fmt.Println(sum, cmd.Run())
	os.Exit(6)
}
