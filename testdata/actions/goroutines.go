// Many goroutines on small stacks read files while signals arrive, and check what they read.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func main() {
	ch := make(chan os.Signal, 1000)
	signal.Notify(ch, syscall.SIGUSR1)
	got := 0
	seen := make(chan bool)
	go func() {
		for range ch {
			got++
		}
		close(seen)
	}()
	var wg sync.WaitGroup
	bad := make(chan string, 1000)
	stop := make(chan bool)
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				syscall.Kill(os.Getpid(), syscall.SIGUSR1)
				time.Sleep(200 * time.Microsecond)
			}
		}
	}()
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 40 {
				b, err := os.ReadFile("wanted-" + fmt.Sprint(i%4))
				if err != nil || string(b) != fmt.Sprintln("other", i%4) {
					bad <- fmt.Sprint(string(b), err)
				}
			}
		}()
	}
	wg.Wait()
	close(stop)
	close(bad)
	for s := range bad {
		fmt.Println("bad:", s)
	}
	signal.Stop(ch)
	close(ch)
	<-seen
	fmt.Println("signals:", got > 0)
}
