package mark_test

import (
	"fmt"
	"os"

	"farcall/mark"
)

// Under "farcall trace --marks" the calls of the region are shown and no others.
func ExampleRegion() {
	load := func(name string) error {
		defer mark.Region("load")()
		_, err := os.ReadFile(name)
		return err
	}
	fmt.Println(load("/proc/self/stat"))
	// Output: <nil>
}
