package symbols

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// TestDebugFileByBuildID moves a program's symbols and lines to where distributions install them.
func TestDebugFileByBuildID(t *testing.T) {
	full := compile(t, "gcc", "p.c", plainC, "-g", "-Wl,--build-id")
	want := resolve(t, open(t, full, none{}), "twice")
	bare := strip(t, full)
	id := open(t, bare, none{}).BuildID()
	if len(id) != 40 {
		t.Fatalf("build-id %q", id)
	}
	root := t.TempDir()
	debug := filepath.Join(root, "usr/lib/debug/.build-id", id[:2], id[2:]+".debug")
	if err := os.MkdirAll(filepath.Dir(debug), 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, "objcopy", "--only-keep-debug", full, debug)

	f := open(t, bare, disk{root})
	if got := resolve(t, f, "twice"); got.Addr != want.Addr || got.Symbol.Source != SourceDebugFile {
		t.Errorf("twice: %+v, want 0x%x", got, want.Addr)
	}
	if got := resolve(t, f, "p.c:3"); got.Addr != want.Addr {
		t.Errorf("p.c:3: %+v", got)
	}
	if file, line, ok := f.Line(want.Addr); !ok || line != 3 || !sameFile(file, "p.c") {
		t.Errorf("%s:%d %v", file, line, ok)
	}

	// One of another build is not taken.
	other := compile(t, "gcc", "p.c", plainC+"int more;\n", "-g", "-Wl,--build-id")
	run(t, "objcopy", "--only-keep-debug", other, debug)
	f = open(t, bare, disk{root})
	if _, err := f.Resolve(pattern(t, "twice")); err == nil {
		t.Error("took the debug file of another build")
	}
	if w := f.Warnings(); len(w) != 1 || !strings.Contains(w[0].Error(), "another build") {
		t.Errorf("warnings: %v", w)
	}
}

// TestDebugFileByLink is about programs without a build-id.
func TestDebugFileByLink(t *testing.T) {
	full := compile(t, "gcc", "p.c", plainC, "-g", "-Wl,--build-id=none")
	want := resolve(t, open(t, full, none{}), "twice")
	debug := full + ".debug"
	run(t, "objcopy", "--only-keep-debug", full, debug)
	bare := strip(t, full)
	run(t, "objcopy", "--add-gnu-debuglink="+debug, bare)
	if got := resolve(t, open(t, bare, disk{"/"}), "twice"); got.Addr != want.Addr {
		t.Errorf("beside the file: %+v, want 0x%x", got, want.Addr)
	}
	sub := filepath.Join(filepath.Dir(bare), ".debug")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(debug, filepath.Join(sub, filepath.Base(debug))); err != nil {
		t.Fatal(err)
	}
	if got := resolve(t, open(t, bare, disk{"/"}), "twice"); got.Addr != want.Addr {
		t.Errorf("in .debug: %+v, want 0x%x", got, want.Addr)
	}
	// A changed file has another checksum.
	b, err := os.ReadFile(filepath.Join(sub, filepath.Base(debug)))
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	writeFile(t, filepath.Join(sub, filepath.Base(debug)), string(b))
	if _, err := open(t, bare, disk{"/"}).Resolve(pattern(t, "twice")); err == nil {
		t.Error("took a debug file with another checksum")
	}
}

func packXZ(t testing.TB, b []byte, dictionary int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := xz.WriterConfig{DictCap: dictionary}.NewWriter(&out)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestDebugData packs a symbol table into .gnu_debugdata, as Fedora does.
func TestDebugData(t *testing.T) {
	full := compile(t, "gcc", "p.c", plainC)
	want := resolve(t, open(t, full, none{}), "twice")
	dir := t.TempDir()
	mini := filepath.Join(dir, "mini")
	run(t, "objcopy", "--only-keep-debug", "--strip-debug", full, mini)
	b, err := os.ReadFile(mini)
	if err != nil {
		t.Fatal(err)
	}
	bare := strip(t, full)
	add := func(packed []byte) *File {
		writeFile(t, mini+".xz", string(packed))
		run(t, "objcopy", "--remove-section=.gnu_debugdata", bare)
		run(t, "objcopy", "--add-section=.gnu_debugdata="+mini+".xz", bare)
		return open(t, bare, none{})
	}
	good := packXZ(t, b, 8<<20)
	f := add(good)
	if got := resolve(t, f, "twice"); got.Addr != want.Addr || got.Symbol.Source != SourceDebugData {
		t.Errorf("twice: %+v, want 0x%x; %v", got, want.Addr, f.Warnings())
	}

	// What does not unpack, or would need much memory, is a warning: the rest is there.
	for name, bad := range map[string][]byte{
		"cut":        good[:len(good)/2],
		"text":       []byte("not compressed"),
		"dictionary": packXZ(t, b, maxDictionary+lzma.MinDictCap),
		"changed":    append(append(bytes.Clone(good[:100]), good[100]^0x55), good[101:]...),
	} {
		f := add(bad)
		if w := f.Warnings(); len(w) != 1 {
			t.Errorf("%s: warnings %v", name, w)
		} else if name == "dictionary" && !errors.Is(w[0], ErrTooLarge) {
			t.Errorf("%s: %v", name, w[0])
		}
		if _, err := f.Resolve(pattern(t, "main")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNoSections finds exported functions of a library without a section table.
func TestNoSections(t *testing.T) {
	for _, style := range []string{"gnu", "sysv"} {
		lib := compile(t, "gcc", "l.c", "int one(void){return 1;}\nint two(void){return 2;}\n", "-shared", "-fPIC", "-Wl,--hash-style="+style)
		want := resolve(t, open(t, lib, none{}), "two").Addr
		b, err := os.ReadFile(lib)
		if err != nil {
			t.Fatal(err)
		}
		clear(b[0x28:0x30]) // e_shoff
		clear(b[0x3c:0x40]) // e_shnum, e_shstrndx
		f, err := NewFile(bytes.NewReader(b), int64(len(b)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := resolve(t, f, "two"); got.Addr != want {
			t.Errorf("%s: %+v, want 0x%x", style, got, want)
		}
	}
}
