// Package cache is what a proxy knows about the files of its server: what was told, for how long that is believed, what is likely to be asked for next, and
// what a command asked for last time.
package cache

import (
	"path"
	"strings"
	"sync"
	"time"

	"farcall/internal/proxy/attr"
	"farcall/internal/proxy/view"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// A Caching says how long what is known about the server's files is believed. What programs of this proxy change is seen at once in any
// case. The zero value believes nothing.
type Caching struct {
	// TTL is how long names and attributes are believed, 0: not at all.
	TTL time.Duration

	// Lease has the server tell what changes. What it watches is believed until then, contents too.
	Lease bool

	// Contents believes contents for the TTL too: without, an open asks, except for what is leased.
	Contents bool
}

// A Cache is what is known about the server's files.
type Cache struct {
	Caching

	mu       sync.Mutex
	turn     uint64 // changes that are known of
	flushed  uint64 // the last of which it is not known what they have changed
	attrs    map[key]*Known
	dirs     map[string]*listing
	linked   map[key]*Known      // attrs of names that may have links in them, which can lead to whatever changes
	contents map[string]*Content // by their names without links
	size     int                 // of the contents
	only     map[string][]byte   // attributes of files that have only that name
	real     map[string]bool     // directories whose names have no links in them
	misses   map[string]int      // questions about names in a directory that is not known
	ahead    map[string]*reading // directories that are being read file by file
	window   int                 // how many files are read ahead

	hot     map[attr.Inode]int    // files that are open for writing: their attributes change all the time
	changed map[attr.Inode]uint64 // the turn of the last change of a file, whatever its name

	Profile *Profile // what is learned for the next time, may be nil
}

// A key is a path and whether it means what a link there leads to.
type key struct {
	path   string
	follow bool
}

// Belief is how long something is believed.
type Belief struct {
	Turn    uint64 // in which it was asked
	leased  bool
	expires time.Time
}

func (b *Belief) holds(now time.Time) bool { return b.leased || now.Before(b.expires) }

// Known is what is known about a name.
type Known struct {
	Belief
	Errno    unix.Errno // there is no such file, and why
	Statx    []byte
	Target   string // of a link
	NoXattrs bool
	From     string // the directory whose listing told; target and noXattrs count then
}

// A listing is a directory of which all names are known.
type listing struct {
	Belief
	names     map[string]bool // false: it may be there
	entries   []wire.Entry    // nil if any has changed
	sorted    map[inOrder][]string
	described bool
}

// A Content is all of a regular file.
type Content struct {
	Belief
	Statx []byte
	Data  []byte
	ahead bool // fetched before it was asked for, and not used yet
}

// What is remembered at most before all is forgotten.
const (
	maxKnown    = 1 << 16
	maxContents = 64 << 20 // bytes
)

// New makes a cache that knows nothing.
func New(c Caching) *Cache {
	ca := &Cache{Caching: c, hot: map[attr.Inode]int{}, changed: map[attr.Inode]uint64{}}
	ca.clear()
	return ca
}

func (c *Cache) clear() {
	c.linked = map[key]*Known{}
	c.attrs, c.dirs, c.misses = map[key]*Known{}, map[string]*listing{}, map[string]int{}
	c.contents, c.size = map[string]*Content{}, 0
	c.only = map[string][]byte{}
	c.real, c.ahead = map[string]bool{"/": true}, map[string]*reading{}
}

// Keeps tells whether anything is kept at all.
func (c *Cache) Keeps() bool { return c.TTL > 0 }

// Now is the turn, for learn: what was asked before a change must not be remembered after it.
func (c *Cache) Now() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn
}

// IsHot tells whether a file is open for writing.
func (c *Cache) IsHot(statx []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hot[attr.InodeOf(statx)] > 0
}

// Plain tells whether a path names the same thing whatever links there are: nothing in it has to be resolved by the server.
func Plain(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }

// valid tells whether what was learned about a file is still believed. c.mu is held.
func (c *Cache) valid(b *Belief, statx []byte, now time.Time) bool {
	if !b.holds(now) {
		return false
	}
	if statx == nil {
		return true
	}
	ino := attr.InodeOf(statx)
	return c.hot[ino] == 0 && c.changed[ino] <= b.Turn
}

// Look returns what is known about a path, nil if the server has to be asked.
func (c *Cache) Look(p string, follow bool) *Known {
	if !c.Keeps() || !Plain(p) {
		return nil
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range []*Known{c.attrs[key{p, false}], c.linked[key{p, follow}], c.linked[key{p, false}]} {
		if k == nil || !c.valid(&k.Belief, k.Statx, now) {
			continue
		}
		f := k == c.linked[key{p, true}]
		if f != follow && k.Errno == 0 && ModeOf(k.Statx) == unix.S_IFLNK {
			continue // what is no link is the same either way
		}
		if k.From != "" {
			c.Profile.Note(UseEntries, k.From, 0)
		} else {
			c.Profile.Note(UseOf(f), p, 0)
		}
		return k
	}
	// Nor is there anything below a directory that does not have the name.
	for at := p; at != "/"; {
		dir, name := path.Dir(at), path.Base(at)
		if l := c.dirs[dir]; l != nil && l.holds(now) {
			if _, ok := l.names[name]; !ok {
				c.Profile.Note(UseNames, dir, 0)
				return &Known{Errno: unix.ENOENT}
			}
		}
		at = dir
	}
	return nil
}

// BeliefOf is what an answer is believed for that was asked for in a turn.
func (c *Cache) BeliefOf(turn uint64, leased bool) Belief {
	return Belief{Turn: turn, leased: leased && c.Lease, expires: time.Now().Add(c.TTL)}
}

// Learn remembers the answer to a question that was asked in a turn.
func (c *Cache) Learn(turn uint64, p string, follow bool, k Known) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(turn, p, follow, k)
}

// set is learn with c.mu held.
func (c *Cache) set(turn uint64, p string, follow bool, k Known) {
	if !c.Keeps() || !Plain(p) || turn != c.turn {
		return
	}
	if len(c.attrs)+len(c.linked) >= maxKnown {
		c.clear()
	}
	if follow || !c.isReal(path.Dir(p)) {
		c.linked[key{p, follow}] = &k
		return
	}
	old := c.attrs[key{p, false}]
	if old != nil && old.From != "" && k.From == "" && (old.leased || !k.leased) && c.valid(&old.Belief, old.Statx, time.Now()) {
		return // knows more
	}
	c.attrs[key{p, false}] = &k
}

// Opened remembers what was said about a file that was opened, or only looked at.
func (c *Cache) Opened(turn uint64, p string, follow bool, r *wire.Opened, ahead bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Ret < 0 {
		if r.Ret == -int64(unix.ENOENT) { // not ENOTDIR, which may be about what the call wanted of the file
			c.set(turn, p, follow, Known{Belief: c.BeliefOf(turn, false), Errno: unix.ENOENT})
		}
		return
	}
	if turn == c.turn && c.Keeps() && Plain(r.Path) {
		c.real[path.Dir(r.Path)] = true
		if ModeOf(r.Statx) == unix.S_IFDIR {
			c.real[r.Path] = true
		}
	}
	k := Known{Belief: c.BeliefOf(turn, r.Leased && r.Path == p), Statx: r.Statx, NoXattrs: r.Bare}
	c.set(turn, p, follow && r.Path != p, k) // without links in it, it is the same either way
	if r.Path != "" && r.Path != p {
		k.leased = r.Leased && c.Lease
		c.set(turn, r.Path, false, k)
	}
	if turn != c.turn || !c.Keeps() {
		return
	}
	if r.Whole && r.Path != "" {
		if old := c.contents[r.Path]; old != nil {
			c.size -= len(old.Data)
		}
		if len(r.Data) > maxContents/4 {
			return
		}
		if c.size += len(r.Data); c.size > maxContents {
			c.contents, c.size = map[string]*Content{}, len(r.Data)
		}
		c.contents[r.Path] = &Content{Belief: c.BeliefOf(turn, r.Leased), Statx: r.Statx, Data: r.Data, ahead: ahead}
	}
}

// File returns the content of a file, nil if the server has to be asked.
func (c *Cache) File(p string) *Content {
	if !c.Keeps() || !Plain(p) {
		return nil
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.contents[p]
	if f == nil || !c.valid(&f.Belief, f.Statx, now) || !f.leased && !f.ahead && !c.Contents {
		return nil
	}
	f.ahead = false
	return f
}

// Directory returns a directory's entries and its own attributes, nil if the server has to be asked.
func (c *Cache) Directory(p string) (entries []wire.Entry, statx []byte, leased bool) {
	if !c.Keeps() || !Plain(p) {
		return nil, nil, false
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	l, k := c.dirs[p], c.attrs[key{p, false}]
	if l == nil || !l.holds(now) || l.entries == nil || !l.described || !c.real[p] {
		return nil, nil, false
	}
	if k == nil || !c.valid(&k.Belief, k.Statx, now) || k.Errno != 0 || ModeOf(k.Statx) != unix.S_IFDIR {
		return nil, nil, false
	}
	c.Profile.Note(UseEntries, p, 0)
	return l.entries, k.Statx, l.leased
}

// Missed counts a question about a name in a directory that is not known. It tells whether it is time to ask for the directory.
func (c *Cache) Missed(dir string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.dirs[dir]; l != nil && l.described && l.holds(time.Now()) {
		return false
	}
	if len(c.misses) >= maxKnown {
		clear(c.misses)
	}
	c.misses[dir]++
	return c.misses[dir] == 2
}

// List remembers a directory.
func (c *Cache) List(turn uint64, d *wire.Directory) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn != c.turn || !c.Keeps() {
		return
	}
	if len(c.attrs)+len(d.Entries) >= maxKnown {
		c.clear()
	}
	l := &listing{names: make(map[string]bool, len(d.Entries)), entries: d.Entries, described: d.Described}
	for i := range d.Entries {
		l.names[d.Entries[i].Name] = true
	}
	dir := d.Path
	if !Plain(dir) {
		return
	}
	for at := dir; !c.real[at]; at = path.Dir(at) {
		c.real[at] = true
	}
	l.Belief = c.BeliefOf(turn, d.Leased)
	if old := c.dirs[dir]; old != nil && old.described && !l.described && old.holds(time.Now()) && old.entries != nil {
		return
	}
	c.dirs[dir] = l
	for i := range d.Entries {
		e := &d.Entries[i]
		if e.Name == ".." || e.Statx == nil {
			continue
		}
		k := &Known{Belief: l.Belief, Statx: e.Statx, Target: e.Target, NoXattrs: e.NoXattrs, From: dir}
		if e.Name == "." {
			if k.From = ""; c.attrs[key{dir, false}] == nil || !c.attrs[key{dir, false}].leased {
				c.attrs[key{dir, false}] = k
			}
			continue
		}
		x := attr.Statx(e.Statx)
		// A directory's attributes change with its own names, a file's by its other names.
		own := c.dirs[path.Join(dir, e.Name)]
		if isDir := x.Mode&unix.S_IFMT == unix.S_IFDIR; isDir && own != nil && own.leased {
			continue
		} else if isDir || x.Nlink > 1 {
			k.leased = false
		}
		c.attrs[key{path.Join(dir, e.Name), false}] = k
	}
}

// ModeOf is the type of a file (S_IFMT, inode(7)) with these attributes.
func ModeOf(statx []byte) uint32 { return uint32(attr.Statx(statx).Mode) & unix.S_IFMT }

// Flush forgets everything. It, or one of the others here, is called when a change has been made, before the program is told.
func (c *Cache) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	c.flushed = c.turn
	c.clear()
}

// Writing tells that a file is open for writing (1), or no longer (-1).
func (c *Cache) Writing(statx []byte, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ino := attr.InodeOf(statx)
	c.alter(ino)
	if c.hot[ino] += n; c.hot[ino] <= 0 {
		delete(c.hot, ino)
	}
}

// Created notes that a name may have come, or, if exclusive, that it has. It tells whether it knew what that changes.
func (c *Cache) Created(p string, exclusive bool) bool {
	if exclusive {
		return c.Renamed(p, true)
	}
	k := c.Look(p, false)
	switch {
	case k == nil:
		return false
	case k.Errno != 0:
		return c.Renamed(p, true)
	}
	return ModeOf(k.Statx) != unix.S_IFLNK // what a link leads to may not have been there
}

// alter notes that a file has changed. c.mu is held.
func (c *Cache) alter(ino attr.Inode) {
	c.turn++
	if len(c.changed) >= maxKnown {
		clear(c.changed)
		c.clear()
	}
	c.changed[ino] = c.turn
}

// Altered notes that a file has changed, but no names.
func (c *Cache) Altered(statx []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alter(attr.InodeOf(statx))
}

// Renamed notes that a name has come, gone, or means another file; came, that there was no such name before. It tells whether it knew what that
// changes; if not, all has to be forgotten.
func (c *Cache) Renamed(p string, came bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !Plain(p) || p == "/" || !c.isReal(path.Dir(p)) {
		return false
	}
	k := c.attrs[key{p, false}]
	if l := c.dirs[path.Dir(p)]; k == nil && l != nil { // is it known not to be there?
		if _, ok := l.names[path.Base(p)]; !ok {
			k = &Known{Errno: unix.ENOENT}
		}
	}
	if statx := c.only[p]; k == nil && statx != nil {
		k = &Known{Statx: statx}
	}
	delete(c.only, p)
	switch {
	case came:
	case k == nil:
		return false // it may have had other names
	case k.Statx != nil:
		if x := attr.Statx(k.Statx); x.Mode&unix.S_IFMT != unix.S_IFDIR && x.Nlink > 1 {
			return false
		}
		c.alter(attr.InodeOf(k.Statx))
	}
	c.turn++
	c.forget(p)
	return true
}

// Regular tells whether a name is known to be that of a regular file, even if its attributes change all the time.
func (c *Cache) Regular(p string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.attrs[key{p, false}]
	return c.only[p] != nil || k != nil && k.Errno == 0 && ModeOf(k.Statx) == unix.S_IFREG
}

// Remember keeps that a name is the only one of a regular file, for when it is removed or renamed: nothing else changes by that then.
func (c *Cache) Remember(p string, statx []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := attr.Statx(statx)
	if c.Keeps() && Plain(p) && x.Mode&unix.S_IFMT == unix.S_IFREG && x.Nlink == 1 && len(c.only) < maxKnown && c.isReal(path.Dir(p)) {
		c.only[p] = statx
	}
}

// isReal tells whether a directory's name is known to have no links in it. c.mu is held.
func (c *Cache) isReal(dir string) bool {
	for !c.real[dir] {
		if k := c.attrs[key{dir, false}]; k == nil || k.Errno != 0 || ModeOf(k.Statx) != unix.S_IFDIR {
			return false
		}
		dir = path.Dir(dir)
	}
	return true
}

// IsRealDir tells whether a path is known to be a directory's, and to have no links in it.
func (c *Cache) IsRealDir(dir string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Plain(dir) && c.isReal(dir)
}

// forget forgets what a change of a name can have changed. c.mu is held.
func (c *Cache) forget(p string) {
	c.forgetFile(p)
	clear(c.linked)
	dir, name := path.Dir(p), path.Base(p)
	delete(c.attrs, key{dir, false})
	if l := c.dirs[dir]; l != nil {
		l.names[name] = false
		l.entries = nil
	}
	if c.dirs[p] != nil || c.real[p] {
		c.forgetBelow(p)
	}
}

// forgetFile forgets the attributes and the content of a name. c.mu is held.
func (c *Cache) forgetFile(p string) {
	delete(c.attrs, key{p, false})
	if f := c.contents[p]; f != nil {
		c.size -= len(f.Data)
		delete(c.contents, p)
	}
}

// forgetBelow forgets a directory and everything in it. c.mu is held.
func (c *Cache) forgetBelow(dir string) {
	clear(c.linked)
	is := func(p string) bool { return view.Below(p, dir) }
	for k := range c.attrs {
		if is(k.path) {
			delete(c.attrs, k)
		}
	}
	for p := range c.dirs {
		if is(p) {
			delete(c.dirs, p)
		}
	}
	for p := range c.contents {
		if is(p) {
			c.forgetFile(p)
		}
	}
	for p := range c.real {
		if is(p) && p != "/" {
			delete(c.real, p)
		}
	}
}

// Invalidate is told by the server what has changed there.
func (c *Cache) Invalidate(inv *wire.Invalidate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	if inv.All {
		c.clear()
		return
	}
	for _, ch := range inv.Changes {
		p := strings.TrimSuffix(ch.Dir, "/") + "/" + ch.Name
		switch {
		case ch.Name == "":
			c.forgetBelow(ch.Dir)
		case ch.Names:
			c.forget(p)
		default:
			c.forgetFile(p)
			if c.dirs[p] != nil {
				c.forgetBelow(p)
			}
		}
	}
}

// Still tells whether attributes are believed that a file was opened with: in that turn, at that time; filled tells that its content was read, too.
func (c *Cache) Still(turn uint64, opened time.Time, filled bool, statx []byte) bool {
	if !c.Keeps() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !filled && turn != c.turn || turn < c.flushed { // a directory's attributes change with its names
		return false
	}
	return c.valid(&Belief{Turn: turn, leased: filled, expires: opened.Add(c.TTL)}, statx, time.Now())
}
