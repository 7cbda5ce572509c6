package event_test

import (
	"os"

	"farcall/decode"
	"farcall/event"
	"farcall/syscalls"
	"farcall/syscalls/linux"
)

// One call as text, in the form of strace.
func ExampleText() {
	nr, _ := syscalls.AMD64.Number("lseek")
	var call decode.Call
	call.Enter(linux.Describe(syscalls.AMD64, nr), syscalls.AMD64, nr, [6]uint64{3, 4096, 1}, nil, decode.Options{})
	text := event.NewText(os.Stdout, event.TextOptions{Columns: 40})
	_ = text.Encode(&event.Event{Kind: event.CallEntry, TID: 7, PID: 7, Call: &call})
	call.Exit(4096, false)
	_ = text.Encode(&event.Event{Kind: event.CallExit, TID: 7, PID: 7, Call: &call})
	_ = text.Flush()
	// Output: lseek(3, 4096, SEEK_CUR)                = 4096
}
