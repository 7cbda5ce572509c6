package cli

import (
	"fmt"

	"farcall/internal/marks"
	"farcall/internal/message"
)

// cleanMarks removes the semaphores of tracers that were killed, and says which.
func cleanMarks(std Streams) error {
	left, err := marks.Leftovers()
	if err != nil {
		return err
	}
	m := &message.Printer{W: std.Err, Name: "farcall"}
	status := error(nil)
	for _, l := range left {
		what := fmt.Sprintf("semaphore set %d, of marks of process %d", l.ID, l.PID)
		if err := l.Remove(); err != nil {
			m.Error(&message.Error{Text: what + ": " + errnoText(err), Remedy: fmt.Sprintf("it belongs to user %d", l.UID)})
			status = exitStatus(exitFailure)
			continue
		}
		fmt.Fprintln(std.Out, "removed "+what)
	}
	if len(left) == 0 {
		fmt.Fprintln(std.Out, "nothing to remove")
	}
	return status
}
