// Package farcall intercepts system calls: it stands between Linux programs and the kernel, sees
// each call with its arguments and result, and can refuse it, change it or answer it itself.
//
// Start with a [Tracer]. [Tracer.Run] starts a program and traces it to its end; [Tracer.Attach]
// and [Tracer.Wait] do the same for programs that run already. What happens to the calls is up to
// two kinds of functions:
//
//   - An observer ([Tracer.Observe]) is told of everything in order, as [event.Event] values. It
//     only looks, and costs least.
//   - A [Middleware] ([Tracer.Use]) wraps the execution of each call, as the middleware of
//     net/http wraps requests: what it does before next happens before the call, what it does
//     after next happens when the kernel has answered. Without next, the kernel never sees the call.
//
// Arguments are decoded by the descriptions of package syscalls/linux: [Call.Value] finds an
// argument by the name that the kernel's prototype gives it.
//
// A Tracer needs Linux, on amd64 or arm64. Several tracers may run in one process, beside other children
// of the process; see ptrace(2) for what may be traced.
package farcall
