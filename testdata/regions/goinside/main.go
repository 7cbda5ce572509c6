// Command goinside waits for bytes inside of work, while another goroutine is in it without a thread.
package main

import (
	"bytes"
	"os"
	"runtime"
	"syscall"
)

//go:noinline
func work(n int, wait func()) int {
	if n > 0 {
		return work(n-1, wait) + 1
	}
	wait()
	syscall.Getppid()
	return 0
}

func main() {
	var b [1]byte
	parked := make(chan bool)
	go work(1, func() { <-parked })
	for stacks := make([]byte, 1<<16); !bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("[chan receive")); {
		runtime.Gosched()
	}
	for {
		n := work(2, func() {
			os.Stdout.WriteString("ready\n")
			if n, _ := syscall.Read(0, b[:]); n != 1 {
				os.Exit(0)
			}
		})
		if n != 2 {
			panic("wrong")
		}
		syscall.Getuid()
	}
}
