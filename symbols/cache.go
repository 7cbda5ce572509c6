package symbols

import (
	"container/list"
	"sync"
	"sync/atomic"
)

// Key tells files apart without reading them: by build-id where it is known, else by device,
// inode, size and time of last change, which differ when a file was replaced.
type Key struct {
	BuildID string
	Dev     uint64
	Inode   uint64
	Size    int64
	MTime   int64 // nanoseconds
}

// defaultCacheLimit is the bound of a Cache with the zero Limit: a dozen large programs.
const defaultCacheLimit = 256 << 20

// Cache keeps the tables of the files that were used last. Its zero value works. Its methods may be
// called from several goroutines; a file is opened once, however many ask for it at a time.
type Cache struct {
	Limit int64 // bytes of tables to keep, 0 for 256 MiB; a file that is in use may exceed it

	mu    sync.Mutex
	files map[Key]*list.Element // of *cached
	order list.List             // last used first
}

type cached struct {
	key  Key
	once sync.Once
	file *File
	err  error
	done atomic.Bool // file and err are set
}

// size is about how many bytes it holds; little while it is being opened.
func (e *cached) size() int64 {
	if e.done.Load() && e.file != nil {
		return e.file.Memory()
	}
	return 1024
}

// Get returns the file of that key, opening it if need be. Errors of opening are kept as well, so
// that a file that cannot be read is not read again and again. Files are dropped without notice:
// their readers have to close themselves when they are unreachable, as *os.File does.
func (c *Cache) Get(key Key, open func() (*File, error)) (*File, error) {
	c.mu.Lock()
	if c.files == nil {
		c.files = map[Key]*list.Element{}
	}
	el, ok := c.files[key]
	if ok {
		c.order.MoveToFront(el)
	} else {
		el = c.order.PushFront(&cached{key: key})
		c.files[key] = el
	}
	e := el.Value.(*cached)
	c.mu.Unlock()

	e.once.Do(func() {
		e.file, e.err = open()
		if e.file != nil {
			e.file.loadSymbols()
		}
		e.done.Store(true)
	})
	if !ok {
		c.shrink(e)
	}
	return e.file, e.err
}

// shrink drops the files that were not used for longest until the rest is within the limit. It
// keeps the one that was just asked for.
func (c *Cache) shrink(keep *cached) {
	limit := c.Limit
	if limit == 0 {
		limit = defaultCacheLimit
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	total := int64(0)
	for el := c.order.Front(); el != nil; {
		e, next := el.Value.(*cached), el.Next()
		size := e.size()
		if total += size; total > limit && e != keep {
			c.order.Remove(el)
			delete(c.files, e.key)
			total -= size
		}
		el = next
	}
}

// Memory is about how many bytes the cached tables hold.
func (c *Cache) Memory() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	total := int64(0)
	for el := c.order.Front(); el != nil; el = el.Next() {
		total += el.Value.(*cached).size()
	}
	return total
}
