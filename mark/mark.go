// Package mark lets a Go program name stretches of its own work, so that "farcall trace --marks" shows the system calls
// of these and of nothing else:
//
//	defer mark.Region("load")()
//
// Without a tracer a region costs one system call that finds nothing, and never blocks. While a tracer follows a region
// its goroutine is locked to its thread, as the tracer knows threads only. Regions of one goroutine may be nested; goroutines that are
// started inside are outside.
//
// The package uses the standard library only. docs/marks.md of farcall describes the protocol.
package mark
