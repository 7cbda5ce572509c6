package rule_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"farcall"
	"farcall/rule"
)

// Let a program find another file than the one it opens.
func ExampleMiddleware() {
	r, err := rule.Parse(`openat if args.filename == "/no/such/file" then set filename "/proc/sys/kernel/ostype"`, rule.Env{})
	if err != nil {
		panic(err)
	}
	change, err := rule.Middleware([]*rule.Rule{r}, rule.Options{})
	if err != nil {
		panic(err)
	}
	reach := r.Reach()
	tracer := farcall.New(farcall.Options{Calls: reach.Calls, When: reach.When})
	tracer.Use(change)
	cmd := exec.Command("cat", "/no/such/file")
	cmd.Stdout = os.Stdout
	if err := tracer.Run(context.Background(), cmd); err != nil {
		fmt.Println(err)
	}
	// Output: Linux
}

// A mistake is shown where it is.
func ExampleParse() {
	_, err := rule.Parse("openat if args.filname == \"x\" then fail EIO", rule.Env{})
	fmt.Println(err)
	// Output: column 16: openat has no argument 'filname'
}
