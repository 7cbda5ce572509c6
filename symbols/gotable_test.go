package symbols

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const sourceGo = `package main

import "fmt"

type counter struct{ n int }

//go:noinline
func (c *counter) Add(by int) { c.n += by }

//go:noinline
func generic[T any](v T) string { return fmt.Sprint(v) }

func main() {
	c := &counter{}
	c.Add(2)
	fmt.Println(c.n, generic("x"))
}
`

var goBuilds sync.Mutex

// goFixture builds the Go program with the given flags.
func goFixture(t testing.TB, name string, flags ...string) string {
	t.Helper()
	goBuilds.Lock() // each build uses all processors by itself
	defer goBuilds.Unlock()
	dir := t.TempDir()
	src, out := filepath.Join(dir, "prog.go"), filepath.Join(dir, name)
	if err := os.WriteFile(src, []byte(sourceGo), 0o644); err != nil {
		t.Fatal(err)
	}
	// The external linker is for cgo; the tests themselves run without.
	run(t, "env", append(append([]string{"CGO_ENABLED=1", "go", "build", "-buildvcs=false"}, flags...), "-o", out, src)...)
	return out
}

// TestStrippedGo compares the functions and lines of a stripped Go program with those of the same
// program with its symbols.
func TestStrippedGo(t *testing.T) {
	for _, tt := range []struct {
		name  string
		flags []string
	}{
		{"static", nil},
		{"pie", []string{"-buildmode=pie"}},
		{"external", []string{"-ldflags=-linkmode=external"}},
		{"pie-external", []string{"-buildmode=pie", "-ldflags=-linkmode=external"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			full := goFixture(t, tt.name, tt.flags...)
			f := open(t, full, none{})
			s := open(t, strip(t, full), none{})
			if f.image.section(".symtab") == nil || s.image.section(".symtab") != nil {
				t.Fatal("not what the test needs")
			}
			functions, wrong := 0, 0
			for sym := range f.Each {
				if sym.Type != TypeFunc || !strings.HasPrefix(sym.Name, "main.") && !strings.HasPrefix(sym.Name, "fmt.") {
					continue
				}
				functions++
				got, off, ok := s.Lookup(sym.Addr)
				if !ok || off != 0 || got.Source != SourceGo || got.Name != sym.Name {
					if wrong++; wrong < 5 {
						t.Errorf("0x%x is %s+%d (%v), want %s", sym.Addr, got.Name, off, got.Source, sym.Name)
					}
				}
				wantFile, wantLine, ok1 := f.Line(sym.Addr)
				gotFile, gotLine, ok2 := s.Line(sym.Addr)
				if !ok1 || !ok2 || wantFile != gotFile || wantLine != gotLine {
					if wrong++; wrong < 5 {
						t.Errorf("%s: %s:%d (%v), DWARF: %s:%d (%v)", sym.Name, gotFile, gotLine, ok2, wantFile, wantLine, ok1)
					}
				}
			}
			if functions < 30 {
				t.Errorf("%d functions only", functions)
			}
			for _, p := range []string{"main.main", "main.(*counter).Add", "prog.go:8", "fmt.Sprint"} {
				if a, b := resolve(t, f, p), resolve(t, s, p); a.Addr != b.Addr {
					t.Errorf("%s: 0x%x, with symbols 0x%x", p, b.Addr, a.Addr)
				}
			}
			if all, err := s.Find(pattern(t, "main.generic*")); err != nil || len(all) == 0 {
				t.Errorf("main.generic*: %v, %v", all, err)
			}
			if m := resolve(t, s, "0x"+hexOf(resolve(t, s, "main.main").Addr+1)); m.Symbol.Name != "main.main" {
				t.Errorf("main.main+1 is %s", m.Symbol.Name)
			}
			t.Logf("%d functions, %d wrong", functions, wrong)
		})
	}
}
