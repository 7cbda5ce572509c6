package proxy

import (
	"path"
	"sync"
	"time"

	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// A cache is what is known about the server's files, for a short time. Whatever programs of this session change empties it, so that
// they always see their own changes; those of others they see once the time is over.
type cache struct {
	ttl time.Duration // 0: nothing is kept

	mu     sync.Mutex
	turn   uint64 // how often it was emptied
	attrs  map[key]*known
	dirs   map[string]*listing
	misses map[string]int // questions about names in a directory that is not known
	hot    map[inode]int  // files that are open for writing: their attributes change all the time
}

// A key is a path and whether it means what a link there leads to.
type key struct {
	path   string
	follow bool
}

// known is what is known about a name.
type known struct {
	errno    unix.Errno // there is no such file, and why
	statx    []byte
	target   string // of a link
	listed   bool   // target and noXattrs count
	noXattrs bool
	expires  time.Time
}

// A listing is a directory of which all names are known.
type listing struct {
	names   map[string]bool
	expires time.Time
}

// maxKnown is how many names are remembered before all are forgotten.
const maxKnown = 1 << 16

func newCache(ttl time.Duration) *cache {
	c := &cache{ttl: ttl, hot: map[inode]int{}}
	c.clear()
	return c
}

func (c *cache) clear() {
	c.attrs, c.dirs, c.misses = map[key]*known{}, map[string]*listing{}, map[string]int{}
}

// flush forgets everything. It is called when a change has been made, before the program is told.
func (c *cache) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	c.clear()
}

// now is the turn, for learn: what was asked before a change must not be remembered after it.
func (c *cache) now() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn
}

// writing tells that a file is open for writing (1), or no longer (-1).
func (c *cache) writing(statx []byte, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ino := inodeOf(statx)
	if c.hot[ino] += n; c.hot[ino] <= 0 {
		delete(c.hot, ino)
	}
}

// isHot tells whether a file is open for writing.
func (c *cache) isHot(statx []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hot[inodeOf(statx)] > 0
}

// plain tells whether a path names the same thing whatever links there are: nothing in it has to be resolved by the server.
func plain(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }

// look returns what is known about a path, nil if the server has to be asked.
func (c *cache) look(p string, follow bool) *known {
	if c.ttl == 0 || !plain(p) {
		return nil
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.attrs[key{p, follow}]
	if k == nil && follow {
		// What is no link is the same either way.
		if k = c.attrs[key{p, false}]; k != nil && k.errno == 0 && statxOf(k.statx).Mode&unix.S_IFMT == unix.S_IFLNK {
			k = nil
		}
	}
	if k != nil && now.Before(k.expires) {
		if k.statx != nil && c.hot[inodeOf(k.statx)] > 0 {
			return nil
		}
		return k
	}
	// Nor is there anything below a directory that does not have the name.
	for at := p; at != "/"; {
		dir, name := path.Dir(at), path.Base(at)
		if l := c.dirs[dir]; l != nil && now.Before(l.expires) && !l.names[name] {
			return &known{errno: unix.ENOENT}
		}
		at = dir
	}
	return nil
}

// learn remembers the answer to a question that was asked in a turn.
func (c *cache) learn(turn uint64, p string, follow bool, k known) {
	if c.ttl == 0 || !plain(p) {
		return
	}
	k.expires = time.Now().Add(c.ttl)
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn != c.turn {
		return
	}
	if len(c.attrs) >= maxKnown {
		c.clear()
	}
	if old := c.attrs[key{p, follow}]; old != nil && old.listed && time.Now().Before(old.expires) {
		return // knows more
	}
	c.attrs[key{p, follow}] = &k
}

// missed counts a question about a name in a directory that is not known. It tells whether it is time to ask for the directory.
func (c *cache) missed(dir string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.misses) >= maxKnown {
		clear(c.misses)
	}
	c.misses[dir]++
	return c.misses[dir] == 2
}

// list remembers a directory under its names.
func (c *cache) list(turn uint64, dirs []string, entries []wire.Entry) {
	expires := time.Now().Add(c.ttl)
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn != c.turn || c.ttl == 0 {
		return
	}
	if len(c.attrs)+len(entries) >= maxKnown {
		c.clear()
	}
	l := &listing{names: make(map[string]bool, len(entries)), expires: expires}
	for i := range entries {
		l.names[entries[i].Name] = true
	}
	for _, dir := range dirs {
		if !plain(dir) {
			continue
		}
		c.dirs[dir] = l
		for i := range entries {
			e := &entries[i]
			if e.Name == "." || e.Name == ".." || e.Statx == nil {
				continue
			}
			c.attrs[key{path.Join(dir, e.Name), false}] = &known{
				statx: e.Statx, target: e.Target, listed: true, noXattrs: e.NoXattrs, expires: expires,
			}
		}
	}
}
