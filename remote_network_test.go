package farcall_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRemoteSockets uses sockets in many ways, on the far host and through the proxy.
func TestRemoteSockets(t *testing.T) {
	h := newFarHost(t, "--allow", "rw", "--connect", "all", "--connect", "unix", "--bind", "all", "--bind", "unix:/tmp")
	script, err := os.ReadFile("testdata/remote/sockets.py")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.root, "sockets.py"), script, 0o644); err != nil {
		t.Fatal(err)
	}
	want := h.inside("python3 /sockets.py")
	if want.code != 0 || want.stderr != "" {
		t.Fatalf("there: %+v", want)
	}
	got := h.proxied([]string{"--net", "remote"}, "python3", "/sockets.py")
	a, b := strings.Split(want.stdout, "\n"), strings.Split(got.stdout, "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			t.Errorf("want %s", a[i])
			if i < len(b) {
				t.Errorf(" got %s", b[i])
			}
		}
	}
	if got.code != 0 || got.stderr != "" {
		t.Errorf("%d %s", got.code, got.stderr)
	}
}
