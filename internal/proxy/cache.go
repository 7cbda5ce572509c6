package proxy

import (
	"path"
	"strings"
	"sync"
	"time"

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

// A cache is what is known about the server's files.
type cache struct {
	Caching

	mu       sync.Mutex
	turn     uint64 // changes that are known of
	flushed  uint64 // the last of which it is not known what they have changed
	attrs    map[key]*known
	dirs     map[string]*listing
	linked   map[key]*known      // attrs of names that may have links in them, which can lead to whatever changes
	contents map[string]*content // by their names without links
	size     int                 // of the contents
	only     map[string][]byte   // attributes of files that have only that name
	real     map[string]bool     // directories whose names have no links in them
	misses   map[string]int      // questions about names in a directory that is not known
	ahead    map[string]*reading // directories that are being read file by file
	window   int                 // how many files are read ahead

	hot     map[inode]int    // files that are open for writing: their attributes change all the time
	changed map[inode]uint64 // the turn of the last change of a file, whatever its name

	profile *Profile // what is learned for the next time, may be nil
}

// A key is a path and whether it means what a link there leads to.
type key struct {
	path   string
	follow bool
}

// belief is how long something is believed.
type belief struct {
	turn    uint64 // in which it was asked
	leased  bool
	expires time.Time
}

func (b *belief) holds(now time.Time) bool { return b.leased || now.Before(b.expires) }

// known is what is known about a name.
type known struct {
	belief
	errno    unix.Errno // there is no such file, and why
	statx    []byte
	target   string // of a link
	noXattrs bool
	from     string // the directory whose listing told; target and noXattrs count then
}

// A listing is a directory of which all names are known.
type listing struct {
	belief
	names     map[string]bool // false: it may be there
	entries   []wire.Entry    // nil if any has changed
	sorted    map[inOrder][]string
	described bool
}

// A content is all of a regular file.
type content struct {
	belief
	statx []byte
	data  []byte
	ahead bool // fetched before it was asked for, and not used yet
}

// What is remembered at most before all is forgotten.
const (
	maxKnown    = 1 << 16
	maxContents = 64 << 20 // bytes
)

func newCache(c Caching) *cache {
	ca := &cache{Caching: c, hot: map[inode]int{}, changed: map[inode]uint64{}}
	ca.clear()
	return ca
}

func (c *cache) clear() {
	c.linked = map[key]*known{}
	c.attrs, c.dirs, c.misses = map[key]*known{}, map[string]*listing{}, map[string]int{}
	c.contents, c.size = map[string]*content{}, 0
	c.only = map[string][]byte{}
	c.real, c.ahead = map[string]bool{"/": true}, map[string]*reading{}
}

// keeps tells whether anything is kept at all.
func (c *cache) keeps() bool { return c.TTL > 0 }

// now is the turn, for learn: what was asked before a change must not be remembered after it.
func (c *cache) now() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn
}

// isHot tells whether a file is open for writing.
func (c *cache) isHot(statx []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hot[inodeOf(statx)] > 0
}

// plain tells whether a path names the same thing whatever links there are: nothing in it has to be resolved by the server.
func plain(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }

// valid tells whether what was learned about a file is still believed. c.mu is held.
func (c *cache) valid(b *belief, statx []byte, now time.Time) bool {
	if !b.holds(now) {
		return false
	}
	if statx == nil {
		return true
	}
	ino := inodeOf(statx)
	return c.hot[ino] == 0 && c.changed[ino] <= b.turn
}

// look returns what is known about a path, nil if the server has to be asked.
func (c *cache) look(p string, follow bool) *known {
	if !c.keeps() || !plain(p) {
		return nil
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range []*known{c.attrs[key{p, false}], c.linked[key{p, follow}], c.linked[key{p, false}]} {
		if k == nil || !c.valid(&k.belief, k.statx, now) {
			continue
		}
		f := k == c.linked[key{p, true}]
		if f != follow && k.errno == 0 && modeOf(k.statx) == unix.S_IFLNK {
			continue // what is no link is the same either way
		}
		if k.from != "" {
			c.profile.note(useEntries, k.from, 0)
		} else {
			c.profile.note(useOf(f), p, 0)
		}
		return k
	}
	// Nor is there anything below a directory that does not have the name.
	for at := p; at != "/"; {
		dir, name := path.Dir(at), path.Base(at)
		if l := c.dirs[dir]; l != nil && l.holds(now) {
			if _, ok := l.names[name]; !ok {
				c.profile.note(useNames, dir, 0)
				return &known{errno: unix.ENOENT}
			}
		}
		at = dir
	}
	return nil
}

// belief is what an answer is believed for that was asked for in a turn.
func (c *cache) belief(turn uint64, leased bool) belief {
	return belief{turn: turn, leased: leased && c.Lease, expires: time.Now().Add(c.TTL)}
}

// learn remembers the answer to a question that was asked in a turn.
func (c *cache) learn(turn uint64, p string, follow bool, k known) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(turn, p, follow, k)
}

// set is learn with c.mu held.
func (c *cache) set(turn uint64, p string, follow bool, k known) {
	if !c.keeps() || !plain(p) || turn != c.turn {
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
	if old != nil && old.from != "" && k.from == "" && (old.leased || !k.leased) && c.valid(&old.belief, old.statx, time.Now()) {
		return // knows more
	}
	c.attrs[key{p, false}] = &k
}

// opened remembers what was said about a file that was opened, or only looked at.
func (c *cache) opened(turn uint64, p string, follow bool, r *wire.Opened, ahead bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Ret < 0 {
		if r.Ret == -int64(unix.ENOENT) { // not ENOTDIR, which may be about what the call wanted of the file
			c.set(turn, p, follow, known{belief: c.belief(turn, false), errno: unix.ENOENT})
		}
		return
	}
	if turn == c.turn && c.keeps() && plain(r.Path) {
		c.real[path.Dir(r.Path)] = true
		if modeOf(r.Statx) == unix.S_IFDIR {
			c.real[r.Path] = true
		}
	}
	k := known{belief: c.belief(turn, r.Leased && r.Path == p), statx: r.Statx, noXattrs: r.Bare}
	c.set(turn, p, follow && r.Path != p, k) // without links in it, it is the same either way
	if r.Path != "" && r.Path != p {
		k.leased = r.Leased && c.Lease
		c.set(turn, r.Path, false, k)
	}
	if turn != c.turn || !c.keeps() {
		return
	}
	if r.Whole && r.Path != "" {
		if old := c.contents[r.Path]; old != nil {
			c.size -= len(old.data)
		}
		if len(r.Data) > maxContents/4 {
			return
		}
		if c.size += len(r.Data); c.size > maxContents {
			c.contents, c.size = map[string]*content{}, len(r.Data)
		}
		c.contents[r.Path] = &content{belief: c.belief(turn, r.Leased), statx: r.Statx, data: r.Data, ahead: ahead}
	}
}

// file returns the content of a file, nil if the server has to be asked.
func (c *cache) file(p string) *content {
	if !c.keeps() || !plain(p) {
		return nil
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.contents[p]
	if f == nil || !c.valid(&f.belief, f.statx, now) || !f.leased && !f.ahead && !c.Contents {
		return nil
	}
	f.ahead = false
	return f
}

// directory returns a directory's entries and its own attributes, nil if the server has to be asked.
func (c *cache) directory(p string) (entries []wire.Entry, statx []byte, leased bool) {
	if !c.keeps() || !plain(p) {
		return nil, nil, false
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	l, k := c.dirs[p], c.attrs[key{p, false}]
	if l == nil || !l.holds(now) || l.entries == nil || !l.described || !c.real[p] {
		return nil, nil, false
	}
	if k == nil || !c.valid(&k.belief, k.statx, now) || k.errno != 0 || modeOf(k.statx) != unix.S_IFDIR {
		return nil, nil, false
	}
	c.profile.note(useEntries, p, 0)
	return l.entries, k.statx, l.leased
}

// missed counts a question about a name in a directory that is not known. It tells whether it is time to ask for the directory.
func (c *cache) missed(dir string) bool {
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

// list remembers a directory.
func (c *cache) list(turn uint64, d *wire.Directory) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn != c.turn || !c.keeps() {
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
	if !plain(dir) {
		return
	}
	for at := dir; !c.real[at]; at = path.Dir(at) {
		c.real[at] = true
	}
	l.belief = c.belief(turn, d.Leased)
	if old := c.dirs[dir]; old != nil && old.described && !l.described && old.holds(time.Now()) && old.entries != nil {
		return
	}
	c.dirs[dir] = l
	for i := range d.Entries {
		e := &d.Entries[i]
		if e.Name == ".." || e.Statx == nil {
			continue
		}
		k := &known{belief: l.belief, statx: e.Statx, target: e.Target, noXattrs: e.NoXattrs, from: dir}
		if e.Name == "." {
			if k.from = ""; c.attrs[key{dir, false}] == nil || !c.attrs[key{dir, false}].leased {
				c.attrs[key{dir, false}] = k
			}
			continue
		}
		x := statxOf(e.Statx)
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

func modeOf(statx []byte) uint32 { return uint32(statxOf(statx).Mode) & unix.S_IFMT }

// flush forgets everything. It, or one of the others here, is called when a change has been made, before the program is told.
func (c *cache) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	c.flushed = c.turn
	c.clear()
}

// writing tells that a file is open for writing (1), or no longer (-1).
func (c *cache) writing(statx []byte, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ino := inodeOf(statx)
	c.alter(ino)
	if c.hot[ino] += n; c.hot[ino] <= 0 {
		delete(c.hot, ino)
	}
}

// still tells whether the attributes that an object was opened with are believed.
func (c *cache) still(o *object) bool {
	if !c.keeps() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !o.filled.Load() && o.turn != c.turn || o.turn < c.flushed { // a directory's attributes change with its names
		return false
	}
	return c.valid(&belief{turn: o.turn, leased: o.filled.Load(), expires: o.opened.Add(c.TTL)}, o.statx, time.Now())
}

// created notes that a name may have come, or, if exclusive, that it has. It tells whether it knew what that changes.
func (c *cache) created(p string, exclusive bool) bool {
	if exclusive {
		return c.renamed(p, true)
	}
	k := c.look(p, false)
	switch {
	case k == nil:
		return false
	case k.errno != 0:
		return c.renamed(p, true)
	}
	return modeOf(k.statx) != unix.S_IFLNK // what a link leads to may not have been there
}

// alter notes that a file has changed. c.mu is held.
func (c *cache) alter(ino inode) {
	c.turn++
	if len(c.changed) >= maxKnown {
		clear(c.changed)
		c.clear()
	}
	c.changed[ino] = c.turn
}

// altered notes that a file has changed, but no names.
func (c *cache) altered(statx []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alter(inodeOf(statx))
}

// renamed notes that a name has come, gone, or means another file; came, that there was no such name before. It tells whether it knew what that
// changes; if not, all has to be forgotten.
func (c *cache) renamed(p string, came bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !plain(p) || p == "/" || !c.isReal(path.Dir(p)) {
		return false
	}
	k := c.attrs[key{p, false}]
	if l := c.dirs[path.Dir(p)]; k == nil && l != nil { // is it known not to be there?
		if _, ok := l.names[path.Base(p)]; !ok {
			k = &known{errno: unix.ENOENT}
		}
	}
	if statx := c.only[p]; k == nil && statx != nil {
		k = &known{statx: statx}
	}
	delete(c.only, p)
	switch {
	case came:
	case k == nil:
		return false // it may have had other names
	case k.statx != nil:
		if x := statxOf(k.statx); x.Mode&unix.S_IFMT != unix.S_IFDIR && x.Nlink > 1 {
			return false
		}
		c.alter(inodeOf(k.statx))
	}
	c.turn++
	c.forget(p)
	return true
}

// regular tells whether a name is known to be that of a regular file, even if its attributes change all the time.
func (c *cache) regular(p string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.attrs[key{p, false}]
	return c.only[p] != nil || k != nil && k.errno == 0 && modeOf(k.statx) == unix.S_IFREG
}

// remember keeps that a name is the only one of a regular file, for when it is removed or renamed: nothing else changes by that then.
func (c *cache) remember(p string, statx []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := statxOf(statx)
	if c.keeps() && plain(p) && x.Mode&unix.S_IFMT == unix.S_IFREG && x.Nlink == 1 && len(c.only) < maxKnown && c.isReal(path.Dir(p)) {
		c.only[p] = statx
	}
}

// isReal tells whether a directory's name is known to have no links in it. c.mu is held.
func (c *cache) isReal(dir string) bool {
	for !c.real[dir] {
		if k := c.attrs[key{dir, false}]; k == nil || k.errno != 0 || modeOf(k.statx) != unix.S_IFDIR {
			return false
		}
		dir = path.Dir(dir)
	}
	return true
}

// isRealDir tells whether a path is known to be a directory's, and to have no links in it.
func (c *cache) isRealDir(dir string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return plain(dir) && c.isReal(dir)
}

// forget forgets what a change of a name can have changed. c.mu is held.
func (c *cache) forget(p string) {
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
func (c *cache) forgetFile(p string) {
	delete(c.attrs, key{p, false})
	if f := c.contents[p]; f != nil {
		c.size -= len(f.data)
		delete(c.contents, p)
	}
}

// forgetBelow forgets a directory and everything in it. c.mu is held.
func (c *cache) forgetBelow(dir string) {
	clear(c.linked)
	is := func(p string) bool { return below(p, dir) }
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

// invalidate is told by the server what has changed there.
func (c *cache) invalidate(inv *wire.Invalidate) {
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
