package proxy

import (
	"fmt"

	"farcall/internal/proxy/network"
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
	remote := !here && side != Local && !(p.opts.View.Prefix != "" && dir == "/")
	if remote {
		entered = first.OpenX(entering(wire.CWD, far))
	}
	turn := p.cache.now()
	if uses := p.cache.takeProfile(p.opts.Profile); len(uses) > 0 {
		p.prefetch(&first, turn, uses)
	} else if p.opts.Savers.Has(SaveStart) && p.cache.keeps() && p.opts.View.Prefix == "" {
		if remote {
			first.list(p.cache, turn, &wire.ListX{Dir: wire.CWD, Path: far, Max: startNames, Described: startEntries})
		}
		for _, d := range []string{"/", "/etc"} { // where programs look for what is not there
			if s, _, _ := p.opts.View.Place(d); s == Remote && d != far {
				first.list(p.cache, turn, &wire.ListX{Dir: wire.CWD, Path: d, Max: startNames})
			}
		}
	}
	o := client.Options{First: &first.Batch}
	if p.opts.Caching.Lease {
		o.Changed = p.cache.invalidate
	}
	var err error
	if p.conn, err = begin(o); err != nil {
		return "", err
	}
	p.network = network.New(p.conn, p.opts.Net)
	p.conn.OnRestart(p.cache.flush)
	for _, f := range first.learn {
		f()
	}
	if !remote {
		return dir, nil
	}
	if entered.Path != "" {
		p.cache.opened(turn, entered.Path, false, entered, false)
		p.cache.profile.note(useLink, entered.Path, 0)
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
func (p *Proxy) prefetch(r *riders, turn uint64, uses []Use) {
	room := maxAhead
	for _, u := range uses {
		switch u.Kind {
		case useContent:
			if u.Size > maxAheadOne || room < u.Size {
				continue
			}
			room -= u.Size
			r.look(p.cache, turn, &wire.OpenX{Dir: wire.CWD, Path: u.Path, Want: wire.WantClosed, MaxData: maxAheadOne}, u.Path)
		case useEntries:
			r.list(p.cache, turn, &wire.ListX{Dir: wire.CWD, Path: u.Path, Max: maxRead, Described: maxAsk})
		case useNames:
			r.list(p.cache, turn, &wire.ListX{Dir: wire.CWD, Path: u.Path, Max: maxRead})
		case useFile:
			r.look(p.cache, turn, &wire.OpenX{Dir: wire.CWD, Path: u.Path, Flags: unix.O_PATH, Want: wire.WantClosed}, u.Path)
		case useLink:
			r.look(p.cache, turn, &wire.OpenX{Dir: wire.CWD, Path: u.Path, Flags: unix.O_PATH | wire.OpenNoFollow, Want: wire.WantClosed}, u.Path)
		}
	}
}

// takeProfile has what is asked for from now on noted in a profile, and returns what it had.
func (c *cache) takeProfile(p *Profile) []Use {
	if p == nil || !c.keeps() {
		return nil
	}
	uses := p.Uses
	p.Uses = nil
	c.profile = p
	return uses
}
