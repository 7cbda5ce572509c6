package farcalltest_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"farcall/farcalltest"

	"golang.org/x/sys/unix"
)

// printer stands for the *testing.T of a test.
type printer struct{ testing.TB }

func (printer) Helper() {}

func (printer) Errorf(format string, args ...any) {
	message, _, _ := strings.Cut(fmt.Sprintf(format, args...), "\n") // the lines of the trace come after it
	fmt.Println(message)
}

// What a command may do, and how it takes what goes wrong. In a test, t is the test's.
func Example() {
	t := printer{}
	r := farcalltest.Run(t, exec.Command("/bin/cat", "/proc/sys/kernel/ostype"))
	r.Never("%net,fsync").OpensOnlyUnder(append(farcalltest.System, "/proc/sys/kernel/ostype")...)
	r.FailsCleanlyWhen("write", unix.ENOSPC)
	fmt.Print(r.Stdout)

	r.AtLeast("write", 2) // does not hold
	// Output:
	// Linux
	// /bin/cat /proc/sys/kernel/ostype must call write 2 times or more, and does once:
}
