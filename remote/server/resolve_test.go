package server

import (
	"net"
	"os"
	"testing"

	"farcall/remote/client"
	"farcall/remote/wire"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// TestAttributesWithoutOwnDirectory has extended attributes set and read where no thread can have a working directory of its own.
func TestAttributesWithoutOwnDirectory(t *testing.T) {
	for _, c := range []struct {
		what string
		own  func() chan *made
	}{{"with", inProc}, {"without", func() chan *made { return nil }}} {
		before := inProc
		inProc = c.own
		defer func() { inProc = before }()
		dir := t.TempDir()
		if err := os.WriteFile(dir+"/f", nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("f", dir+"/l"); err != nil {
			t.Fatal(err)
		}
		near, far := net.Pipe()
		served := make(chan error, 1)
		go func() { served <- New(Options{Write: true}).Serve(t.Context(), far, "test") }()
		conn, err := client.New(near)
		if err != nil {
			t.Fatal(err)
		}
		call := func(name, path, value string) (int64, string) {
			var s wire.Space
			at := s.PutString(value + "    ")
			ret, err := conn.Syscall(name, [6]uint64{s.PutString(path), s.PutString("user.a"), at, 4}, &s)
			if err != nil {
				t.Fatal(err)
			}
			return ret, string(s.Bytes(at, 4))
		}
		if ret, _ := call("setxattr", dir+"/l", "abcd"); ret != 0 {
			t.Errorf("%s: setxattr: %d", c.what, ret)
		}
		if ret, v := call("getxattr", dir+"/f", ""); ret != 4 || v != "abcd" {
			t.Errorf("%s: getxattr: %d %q", c.what, ret, v)
		}
		if ret, _ := call("lgetxattr", dir+"/l", ""); ret != -int64(unix.ENODATA) {
			t.Errorf("%s: lgetxattr: %d", c.what, ret)
		}
		if ret, _ := call("getxattr", dir+"/none", ""); ret != -int64(unix.ENOENT) {
			t.Errorf("%s: getxattr of nothing: %d", c.what, ret)
		}
		conn.Close()
		<-served
	}
}

// TestPathsAreResolved has every path of every call that can be sent be one that is resolved: a call that is added must not lead out.
func TestPathsAreResolved(t *testing.T) {
	n := 0
	for number := range uint16(1000) {
		c := wire.Lookup(number)
		if c == nil || c.Name == "openat" {
			continue
		}
		resolved := map[int]int{}
		for _, p := range paths[c.Name] {
			resolved[p.path] = p.dir
		}
		dir := -1
		for i := range c.Desc.Args {
			switch c.Desc.Args[i].Type.Kind {
			case syscalls.KindDirFD:
				dir = i
			case syscalls.KindPath:
				if c.Name == "symlinkat" && i == 0 { // what the link leads to
					continue
				}
				n++
				if at, ok := resolved[i]; !ok || at != dir {
					t.Errorf("%s: argument %d, relative to %d: resolved %v, relative to %d", c.Name, i, dir, ok, at)
				}
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d paths", n)
	}
}
