package farcall_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fixture compiles a C program of testdata/remote, statically, so that it runs on both sides.
func fixture(t *testing.T, name string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	if msg, err := exec.Command("gcc", "-O1", "-Wall", "-Werror", "-static", "-o", out, "testdata/remote/"+name+".c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, msg)
	}
	return out
}

// install copies a program into the far host.
func (h *farHost) install(program string) {
	h.t.Helper()
	b, err := os.ReadFile(program)
	if err == nil {
		err = os.WriteFile(filepath.Join(h.root, filepath.Base(program)), b, 0o755)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// size is how large an opt-in test is to be: an environment variable, or else.
func size(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	v := os.Getenv(variable)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("%s=%s: %v", variable, v, err)
	}
	return n
}

// TestRemoteOracle has random programs make the same calls on both sides: through the proxy, and natively inside the far host. Results, error
// numbers and what is left of files have to be the same. FARCALL_PROGRAMS is how many programs, FARCALL_SEED the first one's number.
func TestRemoteOracle(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	oracle := fixture(t, "oracle")
	h.install(oracle)
	const calls, batch = 50, 500
	first, programs := size(t, "FARCALL_SEED", 1), size(t, "FARCALL_PROGRAMS", 300)
	mechanisms := [][]string{{"--mechanism", "notify"}, {"--mechanism", "notify", "--cache", "strict"}, {"--mechanism", "ptrace"}}
	for seed := first; seed < first+programs; seed += batch {
		n := min(batch, first+programs-seed)
		h.clear("home/t")
		want := h.inside(fmt.Sprintf("exec /oracle /home/t %d %d %d", seed, n, calls))
		wantTree := h.tree("home/t")
		if want.code != 0 || want.stderr != "" || strings.Count(want.stdout, "\n") < n*calls/2 {
			t.Fatalf("there: %d %s", want.code, want.stderr)
		}
		for _, options := range mechanisms {
			h.clear("home/t")
			got := h.proxied(append(options, "--local", oracle), oracle, "/home/t", fmt.Sprint(seed), fmt.Sprint(n), fmt.Sprint(calls))
			if got.code != 0 || got.stderr != "" {
				t.Fatalf("%q: %d %s", options, got.code, got.stderr)
			}
			differ := 0
			for program := range n {
				prefix := fmt.Sprintf("%d.", seed+program)
				a, b, same := firstDifference(want.stdout, got.stdout, prefix)
				if same {
					continue
				}
				if differ++; differ <= 10 {
					t.Errorf("%q:\n got %s\nwant %s", options, b, a)
				}
			}
			switch tree := h.tree("home/t"); {
			case differ > 0:
				t.Errorf("%q: %d of %d programs differ", options, differ, n)
			case got.stdout != want.stdout:
				t.Errorf("%q: lines outside of programs differ", options)
			case tree != wantTree:
				t.Errorf("%q: the tree differs (-want +got):\n%s", options, cmp.Diff(strings.Split(wantTree, "\n"), strings.Split(tree, "\n")))
			}
		}
	}
}

// firstDifference finds the first line of a program, which has its number, that is not the same in both outputs.
func firstDifference(want, got, number string) (a, b string, same bool) {
	mine := func(s string) (out []string) {
		for line := range strings.Lines(s) {
			if strings.HasPrefix(line, number) || strings.Contains(line, ": "+number) {
				out = append(out, strings.TrimSpace(line))
			}
		}
		return out
	}
	w, g := mine(want), mine(got)
	for i := range max(len(w), len(g)) {
		a, b = "nothing", "nothing"
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return a, b, false
		}
	}
	return "", "", true
}

// clear makes an empty directory of the far host.
func (h *farHost) clear(dir string) {
	h.t.Helper()
	dir = filepath.Join(h.root, dir)
	err := os.RemoveAll(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}
