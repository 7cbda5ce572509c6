package server_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"farcall/remote/client"
	"farcall/remote/server"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// leased starts a session with leases. The function returns what has been told since it was called last.
func leased(t *testing.T) (*client.Conn, func() string) {
	t.Helper()
	var mu sync.Mutex
	var told []string
	c := start(t, server.Options{Write: true}, client.Options{Changed: func(i *wire.Invalidate) {
		mu.Lock()
		defer mu.Unlock()
		if i.All {
			told = append(told, "all")
		}
		for _, ch := range i.Changes {
			told = append(told, fmt.Sprintf("%s %s %v", filepath.Base(ch.Dir), ch.Name, ch.Names))
		}
	}})
	return c, func() string {
		// Its answer comes after all that has changed before.
		if _, err := c.OpenX(&wire.OpenX{Dir: wire.CWD, Path: "/", Flags: unix.O_PATH, Want: wire.WantClosed}); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(told)
		s := strings.Join(slices.Compact(told), ", ")
		told = nil
		return s
	}
}

func TestLease(t *testing.T) {
	c, told := leased(t)
	top := t.TempDir()
	dir := filepath.Join(top, "up/dir")
	must := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) error { return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600) }
	must(os.MkdirAll(dir, 0o700), write("a", "1"), write("b", "1"), os.Link(filepath.Join(dir, "b"), filepath.Join(top, "b")), os.Mkdir(dir+"/below", 0o700))

	if l, err := c.ListX(&wire.ListX{Dir: wire.CWD, Path: dir, Max: 100, Described: 100, Budget: 100}); err != nil || len(l.Dirs) != 2 || !l.Dirs[0].Leased || l.Dirs[0].Path != dir || l.Dirs[1].Path != dir+"/below" {
		t.Fatalf("%+v %v", l, err)
	}
	look := func(name string, want bool) {
		t.Helper()
		o, err := c.OpenX(&wire.OpenX{Dir: wire.CWD, Path: name, Flags: unix.O_PATH, Want: wire.WantClosed})
		if err != nil || o.Ret != 0 || o.Leased != want {
			t.Errorf("%s: %+v %v", name, o, err)
		}
	}
	look(dir+"/a", true)
	look(dir+"/b", false) // it has another name
	look(dir, true)
	look("/proc", false)
	if s := told(); s != "" {
		t.Errorf("nothing has changed, but: %s", s)
	}
	for _, s := range []struct {
		name   string
		change func() error
		want   string
	}{
		{"written", func() error { return write("a", "2") }, "dir a false"},
		{"written again, and nobody has asked since", func() error { return write("a", "3") }, ""},
		{"made", func() error { return write("c", "2") }, "dir c false, dir c true"},
		{"mode", func() error { return os.Chmod(dir+"/a", 0o640) }, ""},
		{"renamed", func() error { return os.Rename(dir+"/c", dir+"/d") }, "dir d true"},
		{"removed", func() error { return os.Remove(dir + "/a") }, "dir a true"},
		{"in a directory below", func() error { return os.WriteFile(dir+"/below/x", nil, 0o600) }, "below x true"},
		{"elsewhere", func() error { return os.WriteFile(top+"/elsewhere", nil, 0o600) }, ""},
		{"a directory above", func() error { return os.Rename(top+"/up", top+"/gone") }, "up  false"},
		{"where it was", func() error { return os.MkdirAll(dir, 0o700) }, ""},
	} {
		must(s.change())
		if got := told(); got != s.want {
			t.Errorf("%s: %q, want %q", s.name, got, s.want)
		}
	}
	look(dir, true)
	must(write("a", "4"))
	if got := told(); got != "dir a false, dir a true" {
		t.Errorf("in the new one: %s", got)
	}
	must(os.RemoveAll(dir))
	if got := told(); !strings.Contains(got, "dir  false") {
		t.Errorf("removed: %s", got)
	}
}

// TestBatch sends requests together, also before the server has answered the first.
func TestBatch(t *testing.T) {
	near, far := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- server.New(server.Options{}).Serve(t.Context(), far, "test") }()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	var first client.Batch
	var answers []*wire.Opened
	for range 2000 { // more than any buffer has room for
		answers = append(answers, first.OpenX(&wire.OpenX{Dir: wire.CWD, Path: file, MaxData: 100, Want: wire.WantClosed}))
	}
	c, err := client.Start(near, client.Options{First: &first})
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range answers {
		if a.Ret != 0 || string(a.Data) != "content" || !a.Closed {
			t.Fatalf("%d: %+v", i, a)
		}
	}
	var b client.Batch
	var s wire.Space
	buf := s.Room(8)
	gone := b.OpenX(&wire.OpenX{Dir: wire.CWD, Path: file + "x", Want: wire.WantClosed})
	link := b.Syscall("readlinkat", [6]uint64{cwd, s.PutString(file), buf, 8}, &s)
	bad := b.Syscall("no such call", [6]uint64{}, &s)
	dir := b.OpenX(&wire.OpenX{Dir: wire.CWD, Path: "/dev", Want: wire.WantClosed})
	device := b.OpenX(&wire.OpenX{Dir: wire.CWD, Path: "/dev/null", Want: wire.WantClosed, MaxData: 100})
	if err := c.DoBatch(&b); err != nil {
		t.Fatal(err)
	}
	if gone.Ret != -int64(unix.ENOENT) || *link != -int64(unix.EINVAL) || *bad != -int64(unix.ENOSYS) || dir.Ret != 0 || device.Ret != 0 || device.Whole {
		t.Errorf("%+v %d %d %+v %+v", gone, *link, *bad, dir, device)
	}
	if n := c.Counts().RoundTrips; n != 1 {
		t.Errorf("%d round trips", n)
	}
	c.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
