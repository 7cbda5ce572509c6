package symbols

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// run runs a program and returns its output.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// compile builds a program from source text whose file has the given name.
func compile(t testing.TB, compiler, file, source string, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	src, out := filepath.Join(dir, file), filepath.Join(dir, "out")
	if err := os.WriteFile(src, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, compiler, append(append([]string{src}, flags...), "-o", out)...)
	return out
}

// strip returns a stripped copy.
func strip(t testing.TB, name string) string {
	t.Helper()
	out := name + ".stripped"
	run(t, "strip", "-o", out, name)
	return out
}

// disk is a Finder on the real file system, below root.
type disk struct{ root string }

func (d disk) Open(name string) (io.ReaderAt, int64, error) {
	b, err := os.ReadFile(filepath.Join(d.root, name))
	if err != nil {
		return nil, 0, err
	}
	return bytes.NewReader(b), int64(len(b)), nil
}

// none is a Finder that finds nothing.
type none struct{}

func (none) Open(string) (io.ReaderAt, int64, error) { return nil, 0, fs.ErrNotExist }

func open(t testing.TB, name string, finder Finder) *File {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewFile(bytes.NewReader(b), int64(len(b)), Options{Name: name, Finder: finder})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return f
}

func pattern(t testing.TB, text string) Pattern {
	t.Helper()
	p, err := ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func resolve(t testing.TB, f *File, text string) Match {
	t.Helper()
	m, err := f.Resolve(pattern(t, text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

// libc is the machine's C library.
func libc(t testing.TB) string {
	t.Helper()
	for _, glob := range []string{"/lib/*/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6"} {
		if all, _ := filepath.Glob(glob); len(all) > 0 {
			return all[0]
		}
	}
	t.Fatal("no libc.so.6")
	return ""
}

func isNotFound(err error) (*NotFoundError, bool) {
	var e *NotFoundError
	return e, errors.As(err, &e)
}

func writeFile(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
