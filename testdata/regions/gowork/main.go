package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
)

//go:noinline
func work(n int) int {
	syscall.Getppid()
	grow(n)
	runtime.Gosched()
	syscall.Getppid()
	return n + 1
}

//go:noinline
func grow(n int) byte {
	var b [4096]byte
	if n > 0 {
		b[n%4096] = grow(n - 1)
	}
	return b[5]
}

func main() {
	var wg sync.WaitGroup
	n := 8
	if len(os.Args) > 1 {
		fmt.Sscan(os.Args[1], &n)
	}
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 50 {
				syscall.Getuid()
				if work(i*4) != i*4+1 {
					panic("wrong")
				}
				syscall.Getuid()
			}
		}()
	}
	wg.Wait()
}
