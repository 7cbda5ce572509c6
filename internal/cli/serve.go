package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"farcall/internal/message"
	"farcall/remote"
	"farcall/remote/certs"
	"farcall/remote/server"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

const serveHelp = `Execute the system calls that "farcall proxy" sends from another host.

A unix socket admits root and the user that the server runs as. TCP admits
clients with a certificate (--tls); without, it is for the loopback interface
only, and with --insecure, as any user could connect. Over vsock it is root of
the virtual machine's host, or with --insecure anybody. With
--stdio whoever starts the server is served: over ssh, or kubectl exec.

Clients can name every file that the user the server runs as can, or those below
--root. They can look at files; --allow rw lets them change some too.`

const serveExamples = `  farcall serve --listen unix:///run/farcall.sock --root /srv/data --allow rw
  ssh host farcall serve --stdio`

// serveOptions are the command's options.
type serveOptions struct {
	listen   string
	stdio    bool
	insecure bool
	root     string
	allow    string
	audit    string
	connect  []string
	bind     []string
	tls      string
	user     string
	grace    time.Duration
}

// newServeCommand executes calls for others.
func newServeCommand(std Streams) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:                   "serve --listen ADDRESS|--stdio [--root DIR] [--allow ro|rw] [--audit FILE]",
		Short:                 "Execute system calls for programs of other hosts",
		Long:                  serveHelp,
		Example:               serveExamples,
		DisableFlagsInUseLine: true,
		Args:                  cobra.NoArgs,
		RunE:                  func(*cobra.Command, []string) error { return runServe(std, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "", "serve clients that connect to `ADDRESS`: unix:///PATH, tcp://HOST:PORT or vsock://any:PORT")
	f.BoolVar(&o.stdio, "stdio", false, "serve one client over standard input and output")
	f.BoolVar(&o.insecure, "insecure", false, "serve clients over TCP and vsock without knowing who they are")
	f.StringVar(&o.root, "root", "", "let clients see nothing but `DIR`, as their root directory")
	f.StringVar(&o.allow, "allow", "ro", "ro: clients look at files; rw: they change them too (`ro|rw`)")
	f.StringArrayVar(&o.connect, "connect", nil, "let clients connect to `DESTINATION`: all, CIDR or ADDRESS, one of these and :PORT, unix or unix:PATH")
	f.StringArrayVar(&o.bind, "bind", nil, "let clients listen on `ADDRESS`: as --connect, or :PORT")
	f.StringVar(&o.tls, "tls", "", "serve TCP clients that have a certificate, by those in `DIR` that farcall certs has made")
	f.StringVar(&o.audit, "audit", "", "append a JSON object to `FILE` for each call")
	f.StringVar(&o.user, "user", "", "serve as user `NAME`, without any capabilities")
	f.DurationVar(&o.grace, "grace", time.Minute, "keep what a client has open for this `TIME` after its connection was lost; 0: do not")
	return cmd
}

// runServe is the command.
func runServe(std Streams, o serveOptions) error {
	collectLess()
	var opts server.Options
	switch o.allow {
	case "ro":
	case "rw":
		opts.Write = true
	default:
		return &message.Error{Text: "invalid --allow argument: '" + o.allow + "'", Remedy: "it is ro or rw"}
	}
	for _, list := range []struct {
		texts []string
		to    *[]server.Destination
	}{{o.connect, &opts.Connect}, {o.bind, &opts.Bind}} {
		for _, text := range list.texts {
			d, err := server.ParseDestination(text)
			if err != nil {
				return message.Fail("%v", err)
			}
			*list.to = append(*list.to, d...)
		}
	}
	if (o.listen != "") == o.stdio {
		return message.Misuse("serve wants --listen or --stdio")
	}
	if o.grace < 0 {
		return &message.Error{Text: "invalid --grace argument: it is negative", Remedy: "0 ends sessions with their connection"}
	}
	var as *account
	if o.user != "" {
		var err error
		if as, err = findAccount(o.user); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	messages := &message.Printer{W: std.Err, Name: "farcall", Help: "farcall help serve"}
	if o.audit != "" {
		f, err := os.OpenFile(o.audit, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return message.Fail("%v", err)
		}
		defer f.Close()
		opts.Audit = server.AuditTo(f, func(err error) { messages.Warn(err.Error()) })
	}
	unix.Umask(0) // clients apply that of the program
	if !o.stdio { // nobody can connect to a server over standard streams once more
		opts.Grace = o.grace
	}
	srv := server.New(opts)
	if o.stdio {
		if err := confine(o.root, as, opts.Write, messages); err != nil {
			return err
		}
		return srv.Serve(ctx, stdio{std.In, std.Out}, "stdio")
	}
	a, err := remote.ParseAddress(o.listen)
	if err != nil {
		return message.Fail("%v", err)
	}
	var secure *tls.Config
	if o.tls != "" {
		if a.Network != "tcp" {
			return message.Misuse("--tls is for tcp://")
		}
		if secure, err = certs.Server(o.tls); err != nil {
			return &message.Error{Text: err.Error(), Remedy: "make certificates: farcall certs DIR NAME..."}
		}
	}
	l, err := server.Listen(ctx, a, secure, o.insecure)
	switch {
	case errors.Is(err, server.ErrUnauthenticated) && a.Loopback():
		return &message.Error{Text: err.Error(), Remedy: "--tls knows clients by their certificates; --insecure allows it"}
	case errors.Is(err, server.ErrUnauthenticated):
		return &message.Error{Text: err.Error(), Remedy: "over a network, use --tls, or run 'farcall serve --stdio' through ssh"}
	case errors.Is(err, unix.EADDRINUSE) && a.Network == "unix":
		return &message.Error{Text: err.Error(), Remedy: "another server is running there, or it is no socket"}
	case err != nil:
		return message.Fail("%v", err)
	}
	if a.Network == "unix" {
		if err := os.Chmod(a.Addr, 0o666); err != nil { // who may connect is decided by credentials
			return message.Fail("%v", err)
		}
	}
	if err := confine(o.root, as, opts.Write, messages); err != nil {
		return err
	}
	fmt.Fprintf(std.Err, "farcall: serving on %v\n", a)
	return srv.ServeListener(ctx, l, nil, func(peer string, err error) { messages.Warn(peer + ": " + err.Error()) })
}

// stdio is a connection over two streams.
type stdio struct {
	io.Reader
	io.Writer
}

// Close closes what can be closed.
func (s stdio) Close() error {
	var errs []error
	for _, x := range []any{s.Reader, s.Writer} {
		if c, ok := x.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}
