package proxy

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"sync"

	"farcall"
	"farcall/remote/client"

	"golang.org/x/sys/unix"
)

// A Run is a program to run, and what became of it.
type Run struct {
	Connect func(client.Options) (*client.Conn, error)
	View    View
	Naive   bool
	Local   bool // the identity of this host
	Ptrace  bool // not user notification
	Net     bool // sockets are connected by the server
	Caching Caching
	Savers  Savers
	Profile *Profile // may be nil
	Kill    bool     // end the programs if the session is lost
	Dir     string   // in which the program starts, as it sees it
	Path    string
	Args    []string
	Debug   func(format string, args ...any)

	Conn   *client.Conn // the session, once it has begun; Run closes it
	Counts Counts
}

// A Status is how a program ended.
type Status struct {
	Code   int
	Signal unix.Signal
}

// Run runs the program until it and all its children have ended.
func (r *Run) Run(ctx context.Context) (st Status, err error) {
	var lost struct {
		sync.Mutex
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p, err := New(Options{
		View: r.View, Naive: r.Naive, Local: r.Local, Net: r.Net && !r.Ptrace, Caching: r.Caching, Savers: r.Savers, Profile: r.Profile, Debug: r.Debug,
	}, func(err error) {
		lost.Lock()
		lost.err = err
		lost.Unlock()
		if r.Kill {
			cancel()
		}
	})
	if err != nil {
		return st, err
	}
	defer func() {
		if p.conn != nil {
			p.behind.wait()
			if berr := p.unreported(); err == nil {
				err = berr
			}
			defer p.conn.Close()
		}
		r.Counts = p.Counts()
		if cerr := p.Close(); err == nil {
			err = cerr
		}
		lost.Lock()
		if lost.err != nil {
			err = lost.err
		}
		lost.Unlock()
	}()
	dir, err := p.Connect(r.Connect, r.Dir)
	r.Conn = p.conn
	if err != nil {
		return st, err
	}
	cmd := &exec.Cmd{Path: r.Path, Args: r.Args, Dir: dir, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	cmd.Env = append(os.Environ(), "PWD="+r.Dir)
	defer swallow()()
	if r.Ptrace {
		err = p.NewTracer().Run(ctx, cmd)
	} else {
		return p.notify(ctx, cmd)
	}
	var exit *farcall.ExitError
	if errors.As(err, &exit) {
		return Status{exit.Code, exit.Signal}, nil
	}
	return st, err
}

// swallow keeps signals of the terminal, which the program gets too, from ending the proxy before the program. It returns what undoes that.
func swallow() func() {
	c := make(chan os.Signal, 8)
	signal.Notify(c, unix.SIGINT, unix.SIGQUIT)
	go func() {
		for range c {
		}
	}()
	return func() {
		signal.Stop(c)
		close(c)
	}
}
