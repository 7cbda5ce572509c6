// Goroutines leave work, which makes the call getppid, by panics and Goexit, hand over in it to other goroutines, and stay in it when the
// program ends. Outside they make the call getuid.
package main

import (
	"iter"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

//go:noinline
func work(f func()) int {
	syscall.Getppid()
	f()
	syscall.Getppid()
	return 1
}

func recovered(f func()) {
	defer func() { _ = recover() }()
	work(f)
}

func main() {
	const n = 20
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			syscall.Getuid()
			switch i % 5 {
			case 0:
				recovered(func() { panic("out") })
			case 1:
				var inner sync.WaitGroup
				inner.Add(1)
				go func() {
					defer inner.Done()
					work(runtime.Goexit)
				}()
				inner.Wait()
			case 2: // the other side of a coroutine is outside
				next, stop := iter.Pull(func(yield func(int) bool) {
					for k := range 5 {
						syscall.Getuid()
						if !yield(k) {
							return
						}
					}
				})
				work(func() {
					for range 3 {
						next()
						runtime.Gosched()
					}
				})
				stop()
			case 3:
				work(func() {
					done := make(chan bool)
					go func() { // outside
						syscall.Getuid()
						close(done)
					}()
					<-done
				})
			case 4:
				work(func() { runtime.GC() })
			}
			syscall.Getuid()
		})
	}
	wg.Wait()
	work(func() {
		if err := exec.Command("/bin/true").Run(); err != nil {
			os.Exit(9)
		}
	})
	work(func() { os.Exit(0) })
}
