// Webclient fetches each URL, all at the same time, and prints what it got in order.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
)

func main() {
	texts := make([]string, len(os.Args)-1)
	var all sync.WaitGroup
	for i, url := range os.Args[1:] {
		all.Go(func() {
			r, err := http.Get(url)
			if err != nil {
				texts[i] = err.Error()
				return
			}
			defer r.Body.Close()
			b, err := io.ReadAll(r.Body)
			texts[i] = fmt.Sprint(r.StatusCode, " ", string(b), " ", err)
		})
	}
	all.Wait()
	for _, text := range texts {
		fmt.Println(text)
	}
}
