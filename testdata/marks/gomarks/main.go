// Gomarks marks regions in goroutines: gomarks GOROUTINES REGIONS.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"

	"farcall/mark"
)

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	regions, _ := strconv.Atoi(os.Args[2])
	var wg sync.WaitGroup
	for g := range n {
		wg.Go(func() {
			for range regions {
				work("go " + strconv.Itoa(g))
				syscall.Getppid()
			}
		})
	}
	wg.Wait()
	fmt.Println("done")
}

func work(name string) {
	defer mark.Region(name)()
	_, _, _ = syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0)
	deeper(20)
}

// deeper makes the stack grow.
func deeper(n int) {
	var room [512]byte
	if n > 0 {
		deeper(n - 1)
	}
	_ = room
}
