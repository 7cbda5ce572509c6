package proxy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"

	"farcall"
	"farcall/event"
	"farcall/filter"
	"farcall/internal/proxy/cache"
	"farcall/internal/proxy/view"
	"farcall/remote/client"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// A Run is a program to run, and what became of it.
type Run struct {
	Connect  func(client.Options) (*client.Conn, error)
	View     view.View
	Naive    bool
	Local    bool // the identity of this host
	Ptrace   bool // not user notification
	ReadOnly bool
	StandIns StandIns // by user notification, where not each call is to be seen
	Net      bool     // sockets are connected by the server
	Caching  cache.Caching
	Savers   cache.Savers
	Profile  *cache.Profile // may be nil
	Kill     bool           // end the programs if the session is lost
	Dir      string         // in which the program starts, as it sees it
	Here     bool           // Dir is this host's, whatever View says
	Path     string
	Args     []string
	Debug    func(format string, args ...any)
	Warn     func(text string) // of what the user should know

	Conn    *client.Conn    // the session, once it has begun; Run closes it
	Calls   *filter.Program // which calls are executed there
	Events  func(*event.Event)
	Explain func(name string, side view.Side, rule *view.Rule)
	Regions farcall.Regions // in which parts of programs; needs Ptrace
	Env     []string        // what is added to the environment, as os/exec.Cmd.Env
	FarEnv  bool            // HOME and the like are those of the server's user

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
	if r.Ptrace || r.Events != nil || r.Calls != nil {
		r.StandIns = Memfds
	}
	p, err := New(Options{
		StandIns: r.StandIns, View: r.View, Naive: r.Naive, Local: r.Local, ReadOnly: r.ReadOnly, Net: r.Net && !r.Ptrace, Caching: r.Caching, Savers: r.Savers, Profile: r.Profile, Debug: r.Debug, Warn: r.Warn,
		Calls: r.Calls, Events: r.Events, Explain: r.Explain,
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
	dir, err := p.Connect(r.Connect, r.Dir, r.Here)
	r.Conn = p.conn
	if err != nil {
		return st, err
	}
	if r.Kill {
		go func() {
			select {
			case <-r.Conn.Ended(): // not only when a call needs it
				p.fail(r.Conn.Err())
			case <-ctx.Done():
			}
		}()
	}
	env := os.Environ()
	if r.FarEnv {
		far, err := p.userEnv()
		if err != nil {
			return st, err
		}
		env = append(env, far...)
	}
	cmd := &exec.Cmd{Path: r.Path, Args: r.Args, Dir: dir, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	cmd.Env = append(append(env, "PWD="+r.Dir), r.Env...)
	defer swallow()()
	if r.Ptrace {
		err = p.NewTracer(r.Regions).Run(ctx, cmd)
	} else {
		return p.notify(ctx, cmd)
	}
	var exit *farcall.ExitError
	if errors.As(err, &exit) {
		return Status{exit.Code, exit.Signal}, nil
	}
	return st, err
}

// userEnv is what a login of the server's user would have in its environment: HOME, SHELL, USER and LOGNAME as passwd(5) says there.
func (p *Proxy) userEnv() ([]string, error) {
	r, err := p.conn.OpenX(&wire.OpenX{Dir: wire.CWD, Path: "/etc/passwd", MaxData: wire.MaxIO, Want: wire.WantClosed})
	if err == nil && r.Ret < 0 {
		err = unix.Errno(-r.Ret)
	}
	if err != nil {
		return nil, fmt.Errorf("environment there: /etc/passwd: %w", err)
	}
	uid := strconv.FormatUint(uint64(p.conn.Welcome().UID), 10)
	for line := range strings.Lines(string(r.Data)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) == 7 && f[2] == uid {
			return []string{"USER=" + f[0], "LOGNAME=" + f[0], "HOME=" + f[5], "SHELL=" + f[6]}, nil
		}
	}
	return nil, fmt.Errorf("environment there: /etc/passwd has no user %s", uid)
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
