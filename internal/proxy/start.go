package proxy

import (
	"fmt"

	"farcall/internal/proxy/cache"
	"farcall/internal/proxy/network"
	"farcall/internal/proxy/view"
	"farcall/remote/client"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// Connect begins the session. What the start of a program needs travels with its first message: the directory that it starts in, and what
// it is going to ask next; here tells that the directory is this host's. It returns that directory as the kernel knows it.
//
// Errors: those of begin; an errno if there is no such directory.
func (p *Proxy) Connect(begin func(client.Options) (*client.Conn, error), dir string, here bool) (string, error) {
	var first riders
	var entered *wire.Opened
	side, far, _ := p.opts.View.Place(dir)
	remote := !here && side != view.Local && !(p.opts.View.Prefix != "" && dir == "/")
	if remote {
		entered = first.OpenX(entering(wire.CWD, far))
	}
	turn := p.cache.Now()
	if uses := p.cache.TakeProfile(p.opts.Profile); len(uses) > 0 {
		p.prefetch(&first, turn, uses)
	} else if p.opts.Savers.Has(cache.SaveStart) && p.cache.Keeps() && p.opts.View.Prefix == "" {
		if remote {
			first.list(p.cache, turn, &wire.ListX{Dir: wire.CWD, Path: far, Max: startNames, Described: startEntries})
		}
		for _, d := range []string{"/", "/etc"} { // where programs look for what is not there
			if s, _, _ := p.opts.View.Place(d); s == view.Remote && d != far {
				first.list(p.cache, turn, &wire.ListX{Dir: wire.CWD, Path: d, Max: startNames})
			}
		}
	}
	o := client.Options{First: &first.Batch}
	if p.opts.Caching.Lease {
		o.Changed = p.cache.Invalidate
	}
	var err error
	if p.conn, err = begin(o); err != nil {
		return "", err
	}
	p.network = network.New(p.conn, p.opts.Net, p.warn)
	p.conn.OnRestart(func() {
		p.cache.Flush()
		p.network.Restarted()
	})
	for _, f := range first.learn {
		f()
	}
	if !remote {
		return dir, nil
	}
	if entered.Path != "" {
		p.cache.Opened(turn, entered.Path, false, entered, false)
		p.cache.Profile.Note(cache.UseLink, entered.Path, 0)
	}
	d, ret, err := p.entered(far, entered)
	if err == nil && ret < 0 {
		err = unix.Errno(-ret)
	}
	if err != nil {
		return "", fmt.Errorf("working directory %s: %w", dir, err)
	}
	return d.stub, nil
}

// How many names come with the beginning, and how many of them with attributes.
const (
	startNames   = 1000
	startEntries = 128
)

// prefetch asks for what a profile says.
func (p *Proxy) prefetch(r *riders, turn uint64, uses []cache.Use) {
	room := cache.MaxAhead
	for _, u := range uses {
		switch u.Kind {
		case cache.UseContent:
			if u.Size > cache.MaxAheadOne || room < u.Size {
				continue
			}
			room -= u.Size
			r.look(p.cache, turn, &wire.OpenX{Dir: wire.CWD, Path: u.Path, Want: wire.WantClosed, MaxData: cache.MaxAheadOne}, u.Path)
		case cache.UseEntries:
			r.list(p.cache, turn, &wire.ListX{Dir: wire.CWD, Path: u.Path, Max: maxRead, Described: maxAsk})
		case cache.UseNames:
			r.list(p.cache, turn, &wire.ListX{Dir: wire.CWD, Path: u.Path, Max: maxRead})
		case cache.UseFile:
			r.look(p.cache, turn, &wire.OpenX{Dir: wire.CWD, Path: u.Path, Flags: unix.O_PATH, Want: wire.WantClosed}, u.Path)
		case cache.UseLink:
			r.look(p.cache, turn, &wire.OpenX{Dir: wire.CWD, Path: u.Path, Flags: unix.O_PATH | wire.OpenNoFollow, Want: wire.WantClosed}, u.Path)
		}
	}
}
