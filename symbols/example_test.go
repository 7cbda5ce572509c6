package symbols_test

import (
	"fmt"
	"os"

	"farcall/symbols"
)

// Where is a function of this program, and what is there?
func ExampleFile_Resolve() {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		panic(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		panic(err)
	}
	file, err := symbols.NewFile(f, info.Size(), symbols.Options{})
	if err != nil {
		panic(err)
	}
	pattern, err := symbols.ParsePattern("runtime.main")
	if err != nil {
		panic(err)
	}
	match, err := file.Resolve(pattern)
	if err != nil {
		panic(err)
	}
	symbol, offset, ok := file.Lookup(match.Addr + 4)
	fmt.Println(symbol.Name, offset, ok)
	// Output: runtime.main 4 true
}
