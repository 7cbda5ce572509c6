package cache

import (
	"fmt"
	"slices"
	"testing"
	"time"
	"unsafe"

	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// statxFor makes attributes.
func statxFor(ino uint64, mode uint16, size uint64) []byte {
	x := unix.Statx_t{Ino: ino, Mode: mode, Size: size, Nlink: 1}
	return slices.Clone(unsafe.Slice((*byte)(unsafe.Pointer(&x)), wire.StatxSize))
}

// directoryOf makes a listing of files whose inode numbers are in the reverse order.
func directoryOf(path string, leased bool, names ...string) *wire.Directory {
	d := &wire.Directory{Path: path, Leased: leased, Described: true}
	d.Entries = append(d.Entries, wire.Entry{Name: ".", Ino: 1, Statx: statxFor(1, unix.S_IFDIR|0o755, 0)})
	for i, n := range names {
		ino := uint64(1000*len(path) - i)
		d.Entries = append(d.Entries, wire.Entry{Name: n, Ino: ino, Type: unix.DT_REG, Statx: statxFor(ino, unix.S_IFREG|0o644, 10)})
	}
	return d
}

func knows(c *Cache, p string) string {
	k := c.Look(p, true)
	switch {
	case k == nil:
		return "unknown"
	case k.Errno != 0:
		return "absent"
	}
	return "there"
}

// TestCache changes things in all the ways that there are.
func TestCache(t *testing.T) {
	fresh := func() *Cache {
		c := New(Caching{TTL: time.Hour, Lease: true})
		c.List(0, directoryOf("/d", true, "a", "b", "sub"))
		c.List(0, directoryOf("/d/sub", true, "x"))
		c.Opened(0, "/link", true, &wire.Opened{Path: "/d/a", Statx: statxFor(2000, unix.S_IFREG, 1), Whole: true, Leased: true, Data: []byte("x")}, false)
		c.Opened(0, "/link/later", true, &wire.Opened{Ret: -int64(unix.ENOENT)}, false)
		return c
	}
	for _, s := range []struct {
		name   string
		change func(c *Cache)
		want   string // a, its content, b, new, link, link/later, sub/x, sub/y
	}{
		{"nothing", func(c *Cache) {}, "there true there absent there absent there absent"},
		{"a name has come", func(c *Cache) { c.Renamed("/d/new", true) }, "there true there unknown unknown unknown there absent"},
		{"a name has gone", func(c *Cache) { c.Renamed("/d/a", false) }, "unknown false there absent unknown unknown there absent"},
		{"a directory has gone", func(c *Cache) { c.Renamed("/d/sub", true) }, "there true there absent unknown unknown unknown unknown"},
		{"a file has changed", func(c *Cache) { c.Altered(statxFor(2000, 0, 0)) }, "unknown false there absent unknown absent there absent"},
		{"a file is being written", func(c *Cache) { c.Writing(statxFor(2000, 0, 0), 1) }, "unknown false there absent unknown absent there absent"},
		{"told of a change", func(c *Cache) { c.Invalidate(&wire.Invalidate{Changes: []wire.Change{{Dir: "/d", Name: "a"}}}) },
			"unknown false there absent there absent there absent"},
		{"told of a name", func(c *Cache) {
			c.Invalidate(&wire.Invalidate{Changes: []wire.Change{{Dir: "/d", Name: "new", Names: true}}})
		},
			"there true there unknown unknown unknown there absent"},
		{"told that a directory is elsewhere", func(c *Cache) { c.Invalidate(&wire.Invalidate{Changes: []wire.Change{{Dir: "/d"}}}) },
			"unknown false unknown unknown unknown unknown unknown unknown"},
		{"told that all has changed", func(c *Cache) { c.Invalidate(&wire.Invalidate{All: true}) },
			"unknown false unknown unknown unknown unknown unknown unknown"},
		{"flushed", func(c *Cache) { c.Flush() }, "unknown false unknown unknown unknown unknown unknown unknown"},
	} {
		c := fresh()
		s.change(c)
		got := fmt.Sprint(knows(c, "/d/a"), " ", c.File("/d/a") != nil, " ", knows(c, "/d/b"), " ", knows(c, "/d/new"), " ", knows(c, "/link"), " ",
			knows(c, "/link/later"), " ", knows(c, "/d/sub/x"), " ", knows(c, "/d/sub/y"))
		if got != s.want {
			t.Errorf("%s: %s, want %s", s.name, got, s.want)
		}
		if c.turn > 0 { // an answer to what was asked before must not be believed
			c.Learn(0, "/d/late", false, Known{Belief: c.BeliefOf(0, true), Errno: unix.ENOENT})
			if c.attrs[key{"/d/late", false}] != nil {
				t.Errorf("%s: an old answer is believed", s.name)
			}
		}
	}
	for name, p := range map[string]string{"unknown": "/elsewhere/f", "with links": "/link/f", "the root": "/"} {
		if fresh().Renamed(p, true) {
			t.Errorf("%s: known", name)
		}
	}
}

// TestBelief looks at what is believed for how long.
func TestBelief(t *testing.T) {
	for _, s := range []struct {
		caching               Caching
		leased, ahead         bool
		attrs, content, twice bool
	}{
		{Caching{}, true, false, false, false, false},
		{Caching{TTL: time.Nanosecond}, false, false, false, false, false},
		{Caching{TTL: time.Hour}, true, false, true, false, false},
		{Caching{TTL: time.Hour, Contents: true}, false, false, true, true, true},
		{Caching{TTL: time.Nanosecond, Lease: true}, true, false, true, true, true},
		{Caching{TTL: time.Hour, Lease: true}, false, false, true, false, false},
		{Caching{TTL: time.Hour, Lease: true}, false, true, true, true, false}, // as if it had been opened then
	} {
		c := New(s.caching)
		c.Opened(0, "/f", false, &wire.Opened{Path: "/f", Statx: statxFor(1, unix.S_IFREG, 1), Whole: true, Leased: s.leased, Data: []byte("x")}, s.ahead)
		time.Sleep(time.Microsecond) // more than the shortest Belief
		attrs, content, twice := c.Look("/f", false) != nil, c.File("/f") != nil, c.File("/f") != nil
		if attrs != s.attrs || content != s.content || twice != s.twice {
			t.Errorf("%+v: %v %v %v", s, attrs, content, twice)
		}
	}
}

func TestReadAhead(t *testing.T) {
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprint("f", (i*37)%100)) // in no order of their names
	}
	byName := slices.Sorted(slices.Values(names))
	backwards := slices.Clone(names)
	slices.Reverse(backwards) // which is by inode number
	for _, order := range [][]string{names, byName, backwards} {
		c := New(Caching{TTL: time.Hour, Lease: true})
		c.List(0, directoryOf("/d", true, names...))
		asked := 0
		for _, n := range order {
			p := "/d/" + n
			if c.File(p) != nil {
				c.Follow(p)
				continue
			}
			asked++
			for _, a := range append(c.Next(p), p) {
				c.Opened(0, a, true, &wire.Opened{Path: a, Statx: c.Look(a, true).Statx, Whole: true, Leased: true, Data: []byte("x")}, true)
			}
		}
		if asked > 5 {
			t.Errorf("%d of 100 had to be asked for", asked)
		}
	}
	c := New(Caching{TTL: time.Hour, Lease: true})
	c.List(0, directoryOf("/d", true, names...))
	for _, n := range []string{"f1", "f50", "f20", "f99"} {
		if got := c.Next("/d/" + n); got != nil {
			t.Errorf("read ahead of %s: %q", n, got)
		}
	}
}
