package action_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"farcall"
	"farcall/action"
	"farcall/filter"

	"golang.org/x/sys/unix"
)

// Fail the second write only.
func ExampleApply() {
	writes, err := filter.ParseCallSet("write")
	if err != nil {
		panic(err)
	}
	tracer := farcall.New(farcall.Options{Calls: writes})
	tracer.Use(action.Apply(action.Rule{Calls: writes, When: action.Only(2), Actions: []action.Action{action.Fail(unix.ENOSPC)}}))
	cmd := exec.Command("sh", "-c", "echo one; echo two 2>/dev/null || exit 3; echo three")
	cmd.Stdout = os.Stdout
	fmt.Println(tracer.Run(context.Background(), cmd))
	// Output:
	// one
	// exit status 3
}
