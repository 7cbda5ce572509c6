package proxy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"time"

	"farcall"
	"farcall/remote/client"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// A Run is a program to run, and what became of it.
type Run struct {
	Conn   *client.Conn
	View   View
	Naive  bool
	Local  bool // the identity of this host
	Ptrace bool // not user notification
	Net    bool // sockets are connected by the server
	TTL    time.Duration
	Kill   bool   // end the programs if the session is lost
	Dir    string // in which the program starts, as it sees it
	Path   string
	Args   []string
	Debug  func(format string, args ...any)

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
	p, err := New(r.Conn, Options{View: r.View, Naive: r.Naive, Local: r.Local, Net: r.Net && !r.Ptrace, TTL: r.TTL, Debug: r.Debug}, func(err error) {
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
	if r.Kill {
		go func() {
			select {
			case <-r.Conn.Ended(): // not only when a call needs it
				p.fail(r.Conn.Err())
			case <-ctx.Done():
			}
		}()
	}
	dir, err := p.startDir(r.Dir)
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

// startDir is the directory, as the kernel knows it, in which a program starts.
func (p *Proxy) startDir(dir string) (string, error) {
	side, far, _ := p.opts.View.Place(dir)
	if side == Local || p.opts.View.Prefix != "" && dir == "/" {
		return dir, nil
	}
	d, ret, err := p.enter(wire.CWD, far)
	if err == nil && ret < 0 {
		err = unix.Errno(-ret)
	}
	if err != nil {
		return "", fmt.Errorf("working directory %s: %w", dir, err)
	}
	return d.stub, nil
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
