package symbols

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"testing"
)

// touch asks a file for everything, as far as a fuzzer has time for.
func touch(b []byte) error {
	f, err := NewFile(bytes.NewReader(b), int64(len(b)), Options{Name: "/x/y", Finder: none{}})
	if err != nil {
		return err
	}
	f.Sections()
	f.Segments()
	f.BuildID()
	f.DebugPaths()
	n := 0
	for s := range f.Each {
		_ = s.VersionedName()
		_ = f.SectionName(s.Section)
		if n++; n < 32 {
			f.Line(s.Addr)
			f.Frames(s.Addr)
			f.GoFrame(s.Addr)
			f.Lookup(s.Addr + 1)
			_ = s.Demangled()
		} else if n > 4096 {
			break
		}
	}
	for _, text := range []string{"main", "p.c:3", "f@V1", "m*n", "ns::g", "0x1060", "mian"} {
		if p, err := ParsePattern(text); err == nil {
			_, _ = f.Find(p)
		}
	}
	for _, name := range []string{".eh_frame", ".debug_frame", ".debug_line", ".text"} {
		_, _, _ = f.Content(name)
	}
	_, _ = f.BiasFromAuxv(Auxv{Entry: 0x1000, Phdr: 0x40})
	_, _ = f.Placements([]Mapping{{Start: 0x1000, End: 0x2000, Exec: true}})
	return nil
}

// seeds are small files of several kinds.
func seeds(t testing.TB) [][]byte {
	t.Helper()
	script := t.TempDir() + "/map"
	writeFile(t, script, "V1 { global: f; local: *; };\n")
	var out [][]byte
	for _, name := range []string{
		compile(t, "gcc", "p.c", "int main(void){return 0;}\n", "-g", "-nostdlib", "-static", "-Wl,-e,main", "-Wl,-z,noseparate-code"),
		compile(t, "gcc", "p.c", "int f(void){return 0;}\n", "-shared", "-fPIC", "-nostdlib", "-Wl,--version-script="+script, "-Wl,-z,noseparate-code"),
		compile(t, "gcc", "p.c", plainC, "-g", "-c"),
		strip(t, compile(t, "gcc", "p.c", plainC, "-Wl,-z,noseparate-code")),
	} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// FuzzFile gives changed files to everything that reads files. The only failures are panics, and
// taking longer than the fuzzer's patience.
func FuzzFile(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := touch(b); err != nil && !errors.Is(err, ErrNotELF) && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("untyped error: %v", err)
		}
	})
}

// FuzzGoTable changes the function table of a Go program.
func FuzzGoTable(f *testing.F) {
	m := &image{order: binary.LittleEndian, wide: true}
	table := []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8}
	for _, v := range []uint64{1, 1, 0x1000, 72, 80, 84, 92, 100} {
		table = binary.LittleEndian.AppendUint64(table, v)
	}
	table = append(table, "main\x00\x00\x00\x00\x00\x00\x00\x00p.go\x00\x00\x00\x00\x02\x10\x00\x00\x00\x00\x00\x00"...)
	table = append(table, make([]byte, 80)...)
	f.Add(table)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := newPclntab(string(b), m)
		if err != nil {
			return
		}
		for i := range min(p.count, 100) {
			if start, end, _, ok := p.function(i); ok && end < start && p.text == 0 {
				t.Errorf("function %d ends before it starts", i)
			}
		}
		p.line(p.text)
		p.line(p.text + 0x10)
		if p.count < 1000 {
			p.find("p.go", 1)
		}
	})
}

func FuzzXZ(f *testing.F) {
	f.Add(packXZ(f, []byte("\x7fELF some text"), 1<<16))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &image{r: bytes.NewReader(b), size: int64(len(b))}
		_, _ = m.debugData(&Section{Size: uint64(len(b))})
	})
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"main", "a:b:1", "ns::f(int)", "0x1", "*[a-z]?", "f@@V", "[", "[]", ":", "::", "x:0x"} {
		f.Add(s, "main")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		p, err := ParsePattern(text)
		if err == nil && p.Name == "" && p.Line == 0 && !p.HasAddr {
			t.Errorf("%q means nothing", text)
		}
		matchGlob(text, name)
		identifier(text)
		Demangle(text)
		demangledForms(text)
	})
}

// TestDamaged cuts files off and changes bytes of their headers.
func TestDamaged(t *testing.T) {
	for _, b := range seeds(t) {
		for n := 0; n < len(b); n += 1 + n/50 {
			if err := touch(b[:n]); err == nil {
				t.Errorf("no error for %d of %d bytes", n, len(b))
			} else if !errors.Is(err, ErrNotELF) && !errors.Is(err, ErrTruncated) {
				t.Errorf("%d of %d bytes: %v", n, len(b), err)
			}
		}
		sections := int(binary.LittleEndian.Uint64(b[0x28:]))
		for _, v := range []byte{0, 0x7f, 0xff} {
			for i := 4; i < 64; i++ {
				c := bytes.Clone(b)
				c[i] = v
				_ = touch(c)
			}
			for i := sections; i < len(b); i += 3 {
				c := bytes.Clone(b)
				c[i] = v
				_ = touch(c)
			}
		}
	}
}

// TestHugeCounts is about numbers that ask for much memory or time.
func TestHugeCounts(t *testing.T) {
	b := seeds(t)[0]
	order := binary.LittleEndian
	sections := order.Uint64(b[0x28:])
	edit := func(change func(c []byte)) []byte {
		c := bytes.Clone(b)
		change(c)
		return c
	}
	for name, c := range map[string][]byte{
		"sections":        edit(func(c []byte) { order.PutUint16(c[0x3c:], 0xffff) }),
		"sections beyond": edit(func(c []byte) { order.PutUint16(c[0x3c:], 0); order.PutUint64(c[sections+32:], 1<<40) }),
		"segments":        edit(func(c []byte) { order.PutUint16(c[0x38:], 0xfffe) }),
		"section table":   edit(func(c []byte) { order.PutUint64(c[0x28:], 1<<63) }),
		"program headers": edit(func(c []byte) { order.PutUint64(c[0x20:], 1<<63-8) }),
	} {
		allocated := testing.AllocsPerRun(1, func() {
			if err := touch(c); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooLarge) {
				t.Errorf("%s: %v", name, err)
			}
		})
		if allocated > 1000 {
			t.Errorf("%s: %v allocations", name, allocated)
		}
	}
	if err := touch([]byte("#!/bin/sh\n")); !errors.Is(err, ErrNotELF) {
		t.Errorf("a script: %v", err)
	}
}
