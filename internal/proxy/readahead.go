package proxy

import (
	"cmp"
	"path"
	"slices"

	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// A reading is a directory whose files are being opened. Programs that go through a whole directory open its files in one of a few orders: that of the
// directory, by name, or by inode number.
type reading struct {
	list   *listing
	orders [][]string
	last   string
	window int
}

// What is read ahead in a directory at a time.
const (
	firstWindow = 4
	maxWindow   = 256
	aheadFile   = 64 << 10 // bytes of a file
	aheadBytes  = 1 << 20  // of all
)

// follow notes that a file was opened.
func (c *cache) follow(p string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.readingOf(path.Dir(p)); r != nil {
		r.last = path.Base(p)
	}
}

// readingOf is what is known about the order of reading in a directory, nil if its files are not known. c.mu is held.
func (c *cache) readingOf(dir string) *reading {
	l := c.dirs[dir]
	if l == nil || l.entries == nil || !l.described || !c.real[dir] {
		return nil
	}
	r := c.ahead[dir]
	if r == nil || r.list != l {
		last, window := "", firstWindow
		if r != nil {
			last, window = r.last, r.window
		}
		r = &reading{list: l, last: last, window: window}
		c.ahead[dir] = r
	}
	return r
}

// next is called when a file is opened whose content is not known. If files are opened one after the other it returns the names of those that are
// likely to be next.
func (c *cache) next(p string) (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	dir, name := path.Dir(p), path.Base(p)
	r := c.readingOf(dir)
	if r == nil {
		return nil
	}
	last := r.last
	r.last = name
	if last == "" {
		return nil
	}
	if r.orders == nil {
		r.orders = ordersOf(r.list.entries)
	}
	for _, order := range r.orders {
		i := slices.Index(order, name)
		if i < 1 || order[i-1] != last {
			continue
		}
		room := aheadBytes
		for _, n := range order[i+1:] {
			at := path.Join(dir, n)
			k := c.attrs[key{at, false}]
			if c.contents[at] != nil || k == nil || k.statx == nil {
				continue
			}
			size := int(min(statxOf(k.statx).Size, aheadFile+1))
			if room -= size; size > aheadFile || size == 0 {
				continue
			}
			if len(names) == r.window || room < 0 {
				break
			}
			names = append(names, at)
		}
		r.window = min(r.window*4, maxWindow)
		return names
	}
	r.window = firstWindow
	return nil
}

// ordersOf are the orders in which programs read the files of a directory.
func ordersOf(entries []wire.Entry) [][]string {
	files := slices.DeleteFunc(slices.Clone(entries), func(e wire.Entry) bool {
		return e.Statx == nil || modeOf(e.Statx) != unix.S_IFREG
	})
	var orders [][]string
	for _, less := range []func(a, b wire.Entry) int{
		nil,
		func(a, b wire.Entry) int { return cmp.Compare(a.Name, b.Name) },
		func(a, b wire.Entry) int { return cmp.Compare(a.Ino, b.Ino) },
	} {
		if less != nil {
			slices.SortStableFunc(files, less)
		}
		order := make([]string, len(files))
		for i := range files {
			order[i] = files[i].Name
		}
		orders = append(orders, order)
	}
	return orders
}
