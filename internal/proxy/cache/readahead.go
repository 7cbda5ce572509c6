package cache

import (
	"cmp"
	"path"
	"slices"

	"farcall/internal/proxy/attr"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// A reading is a directory whose files are being opened. Programs that go through a whole directory open its files in one of a few orders: that of the
// directory, by name, or by inode number.
type reading struct {
	list *listing
	last string // file that was opened
}

// What is read ahead at a time.
const (
	firstWindow = 4
	maxWindow   = 256
	AheadFile   = 64 << 10 // bytes of a file
	aheadBytes  = 1 << 20  // of all
)

// Follow notes that a file was opened.
func (c *Cache) Follow(p string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.readingOf(path.Dir(p)); r != nil {
		r.last = path.Base(p)
	}
}

// readingOf is what is known about reading in a directory, nil if its files are not known. c.mu is held.
func (c *Cache) readingOf(dir string) *reading {
	l := c.dirs[dir]
	if l == nil || l.entries == nil || !l.described || !c.real[dir] {
		return nil
	}
	r := c.ahead[dir]
	if r == nil {
		r = &reading{}
		c.ahead[dir] = r
	}
	r.list = l
	return r
}

// Next is called when a file is opened whose content is not known. If files are opened one after the other it returns the names of those that are
// likely to be next: of the directory, and of those behind it. The more of them have been right, the more it returns.
func (c *Cache) Next(p string) (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	dir, name := path.Dir(p), path.Base(p)
	r := c.readingOf(dir)
	if r == nil {
		return nil
	}
	last := r.last
	r.last = name
	for by := range orders {
		files := c.inOrder(r.list, by, unix.S_IFREG)
		i := slices.Index(files, name)
		// The first of a directory is one after the other only if other directories have been read so.
		if i < 0 || i > 0 && files[i-1] != last || i == 0 && c.window <= firstWindow {
			continue
		}
		a := ahead{Cache: c, left: max(c.window, firstWindow), bytes: aheadBytes}
		a.files(dir, files[i+1:])
		a.siblings(dir, by)
		c.window = min(max(c.window, firstWindow)*4, maxWindow)
		return a.names
	}
	c.window = firstWindow
	return nil
}

// ahead collects what to read ahead.
type ahead struct {
	*Cache
	names       []string
	left, bytes int
}

// files adds files of a directory that are not known yet. It tells whether there is room for more.
func (a *ahead) files(dir string, names []string) bool {
	for _, n := range names {
		at := path.Join(dir, n)
		k := a.attrs[key{at, false}]
		if a.contents[at] != nil || k == nil || k.Statx == nil {
			continue
		}
		size := int(min(attr.Statx(k.Statx).Size, AheadFile+1))
		if size > AheadFile || size == 0 {
			continue
		}
		if a.left == 0 || a.bytes < size {
			return false
		}
		a.left--
		a.bytes -= size
		a.names = append(a.names, at)
	}
	return true
}

// siblings adds files of the directories that come after one. Which order directories are read in is not known: it is that of the files.
func (a *ahead) siblings(dir string, by int) {
	parent := a.dirs[path.Dir(dir)]
	if dir == "/" || parent == nil || parent.entries == nil || !parent.described {
		return
	}
	dirs := a.inOrder(parent, by, unix.S_IFDIR)
	for _, n := range dirs[slices.Index(dirs, path.Base(dir))+1:] {
		at := path.Join(path.Dir(dir), n)
		l := a.dirs[at]
		if l == nil || l.entries == nil || !l.described {
			continue
		}
		if !a.files(at, a.inOrder(l, by, unix.S_IFREG)) {
			return
		}
	}
}

// orders are those in which programs read a directory.
var orders = [...]func(a, b wire.Entry) int{
	nil,
	func(a, b wire.Entry) int { return cmp.Compare(a.Name, b.Name) },
	func(a, b wire.Entry) int { return cmp.Compare(a.Ino, b.Ino) },
}

// inOrder are the names of a directory's files of a type. c.mu is held.
func (c *Cache) inOrder(l *listing, by int, mode uint32) []string {
	which := inOrder{by, mode}
	if names, ok := l.sorted[which]; ok {
		return names
	}
	files := slices.DeleteFunc(slices.Clone(l.entries), func(e wire.Entry) bool {
		return e.Statx == nil || ModeOf(e.Statx) != mode || e.Name == "."
	})
	if less := orders[by]; less != nil {
		slices.SortStableFunc(files, less)
	}
	names := make([]string, len(files))
	for i := range files {
		names[i] = files[i].Name
	}
	if l.sorted == nil {
		l.sorted = map[inOrder][]string{}
	}
	l.sorted[which] = names
	return names
}

// inOrder says which names, and how they are sorted.
type inOrder struct {
	by   int
	mode uint32
}
