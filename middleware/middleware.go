// Package middleware has ready-made [farcall.Middleware] for common cases. Each comment says which calls it wants in
// farcall.Options.Calls; farcall.Options.Follow is needed for what a program starts.
//
// None of it is a sandbox: a path that is checked in the program's memory can be changed by another thread before the kernel reads it, and io_uring(7)
// opens files and connects without system calls of its own.
package middleware

import (
	"context"
	"strings"

	"farcall"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// intercept makes a middleware of a function that is called in place of next.
func intercept(f func(ctx context.Context, c *farcall.Call, next farcall.Handler) error) farcall.Middleware {
	return func(next farcall.Handler) farcall.Handler {
		return func(ctx context.Context, c *farcall.Call) error { return f(ctx, c, next) }
	}
}

// RedirectPath lets calls that name the file from, or something below it, find to in its place. Paths are compared as the program
// writes them: "/etc/hosts" is not "../etc/hosts". Calls: "%file".
func RedirectPath(from, to string) farcall.Middleware {
	from, to = strings.TrimSuffix(from, "/"), strings.TrimSuffix(to, "/")
	return intercept(func(ctx context.Context, c *farcall.Call, next farcall.Handler) error {
		args := c.Decoded().Desc.Args
		for i := range args {
			if args[i].Type.Kind != syscalls.KindPath || args[i].Type.Dir != syscalls.In {
				continue
			}
			v := c.Value(args[i].Name)
			if v == nil {
				continue
			}
			rest, ok := strings.CutPrefix(string(v.Bytes), from)
			if !ok || rest != "" && rest[0] != '/' {
				continue
			}
			if err := c.SetString(args[i].Name, to+rest); err != nil {
				return err
			}
		}
		return next(ctx, c)
	})
}

// DenyNetwork refuses sockets of all families but AF_UNIX and AF_NETLINK, with EACCES. Sockets that a program inherits, or is
// sent, it can use. Calls: "socket".
func DenyNetwork() farcall.Middleware {
	return intercept(func(ctx context.Context, c *farcall.Call, next farcall.Handler) error {
		if c.Name() == "socket" {
			switch family := c.Value("family"); {
			case family == nil, family.Num != unix.AF_UNIX && family.Num != unix.AF_NETLINK:
				return c.Fail(unix.EACCES)
			}
		}
		return next(ctx, c)
	})
}
