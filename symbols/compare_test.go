package symbols

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// realFiles are files of this machine that differ in kind; those that are missing are left out.
func realFiles(t *testing.T) []string {
	t.Helper()
	out := []string{libc(t)}
	for _, name := range []string{"bash", "perl", "gdb", "strace", "git"} {
		if p, err := exec.LookPath(name); err == nil {
			if p, err = filepath.EvalSymlinks(p); err == nil && strings.HasPrefix(run(t, "head", "-c4", p), "\x7fELF") {
				out = append(out, p)
			}
		}
	}
	if all, _ := filepath.Glob("/usr/lib/*/libstdc++.so.6"); len(all) > 0 {
		out = append(out, all[0])
	}
	out = append(out,
		compile(t, "gcc", "p.c", plainC, "-g"),
		compile(t, "gcc", "p.c", plainC, "-static"),
		compile(t, "g++", "q.cc", sourceCC, "-g", "-O2"))
	return out
}

type nmLine struct {
	addr uint64
	name string
}

// nmSymbols is what nm lists of defined symbols, with versions.
func nmSymbols(t *testing.T, flags ...string) []nmLine {
	t.Helper()
	var out []nmLine
	for _, line := range strings.Split(run(t, "nm", append([]string{"--defined-only"}, flags...)...), "\n") {
		f := strings.SplitN(line, " ", 3)
		if len(f) != 3 || f[1] == "N" || f[1] == "A" {
			continue
		}
		addr, err := strconv.ParseUint(f[0], 16, 64)
		if err != nil {
			t.Fatalf("nm: %q", line)
		}
		out = append(out, nmLine{addr, f[2]})
	}
	return out
}

// TestAgainstNm compares all symbols of real files with those of nm, .symtab and .dynsym.
func TestAgainstNm(t *testing.T) {
	for _, name := range realFiles(t) {
		f := open(t, name, none{})
		have := map[nmLine]bool{}
		count := map[Source]int{}
		for s := range f.Each {
			have[nmLine{s.Addr, s.Name}] = true
			have[nmLine{s.Addr, s.VersionedName()}] = true
			if s.Source == SourceSymtab {
				have[nmLine{s.Addr, s.Name + "@" + s.Version}] = true
			}
			count[s.Source]++
		}
		for _, err := range f.Warnings() {
			t.Errorf("%s: %v", name, err)
		}
		want := nmSymbols(t, "-D", name)
		missing := 0
		if f.image.section(".symtab") != nil {
			want = append(want, nmSymbols(t, name)...)
		}
		for _, w := range want {
			if !have[w] && !strings.HasPrefix(w.name, "$") {
				if base, version, ok := strings.Cut(w.name, "@@"); ok && base == version {
					continue // a version names itself
				}
				if missing++; missing < 5 {
					t.Errorf("%s: nm has 0x%x %s", name, w.addr, w.name)
				}
			}
		}
		if len(want) == 0 {
			t.Errorf("%s: nm has no symbols", name)
		}
		t.Logf("%s: %d lines of nm, %d missing, sources %v", name, len(want), missing, count)
	}
}

// TestAgainstReadelf compares section tables and program headers.
func TestAgainstReadelf(t *testing.T) {
	section := regexp.MustCompile(`(?m)^ *\[ *(\d+)\] (\S*) +(\S+) +([0-9a-f]{8,16}) ([0-9a-f]{6,}) ([0-9a-f]{6,}) `)
	segment := regexp.MustCompile(`(?m)^  (\S+) +0x([0-9a-f]+) 0x([0-9a-f]+) 0x[0-9a-f]+ 0x([0-9a-f]+) 0x([0-9a-f]+) `)
	number := func(s string) uint64 {
		n, err := strconv.ParseUint(s, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, name := range realFiles(t) {
		f := open(t, name, none{})
		sections := f.Sections()
		rows := section.FindAllStringSubmatch(run(t, "readelf", "-SW", name), -1)
		if len(rows) < len(sections)-1 {
			t.Fatalf("%s: %d lines for %d sections", name, len(rows), len(sections))
		}
		for _, r := range rows {
			i, _ := strconv.Atoi(r[1])
			if i == 0 {
				continue
			}
			s := sections[i]
			if s.Name != r[2] || s.Addr != number(r[4]) || s.Offset != number(r[5]) || s.Size != number(r[6]) {
				t.Errorf("%s: section %d is %+v, readelf: %v", name, i, s, r[1:])
			}
		}
		segments := f.Segments()
		rows = segment.FindAllStringSubmatch(run(t, "readelf", "-lW", name), -1)
		if len(rows) != len(segments) {
			t.Fatalf("%s: %d lines for %d segments", name, len(rows), len(segments))
		}
		for i, r := range rows {
			s := segments[i]
			if s.Offset != number(r[2]) || s.Vaddr != number(r[3]) || s.Filesz != number(r[4]) || s.Memsz != number(r[5]) {
				t.Errorf("%s: segment %d is %+v, readelf: %v", name, i, s, r[1:])
			}
		}
		notes := run(t, "readelf", "-nW", name)
		if id := regexp.MustCompile(`Build ID: ([0-9a-f]+)`).FindStringSubmatch(notes); id != nil && id[1] != f.BuildID() {
			t.Errorf("%s: build-id %s, readelf: %s", name, f.BuildID(), id[1])
		}
	}
}

// TestAgainstAddr2line compares functions and lines of addresses all over programs with debug
// information.
func TestAgainstAddr2line(t *testing.T) {
	for _, name := range []string{
		compile(t, "gcc", "p.c", plainC, "-g", "-O0"),
		compile(t, "gcc", "p.c", plainC, "-g", "-O2", "-gdwarf-4"),
		compile(t, "clang", "p.c", plainC, "-g", "-O1"),
		compile(t, "g++", "q.cc", sourceCC, "-g", "-O2"),
		compile(t, "g++", "q.cc", sourceCC, "-g", "-gz=zlib"),
	} {
		f := open(t, name, none{})
		text := f.image.section(".text")
		step := max(1, text.Size/400)
		var addrs []uint64
		for a := text.Addr; a < text.Addr+text.Size; a += step {
			addrs = append(addrs, a)
		}
		args := []string{"-f", "-e", name}
		for _, a := range addrs {
			args = append(args, fmt.Sprintf("0x%x", a))
		}
		lines := strings.Split(strings.TrimSpace(run(t, "addr2line", args...)), "\n")
		if len(lines) != 2*len(addrs) {
			t.Fatalf("%s: %d lines for %d addresses", name, len(lines), len(addrs))
		}
		compared, different, withLine := 0, 0, 0
		for i, a := range addrs {
			where, _, _ := strings.Cut(lines[2*i+1], " (discriminator")
			file, number, _ := strings.Cut(where, ":")
			gotFile, gotLine, ok := f.Line(a)
			if !strings.HasPrefix(file, "?") && number != "?" && number != "0" {
				withLine++
				if !ok || filepath.Base(gotFile) != filepath.Base(file) || strconv.Itoa(gotLine) != number {
					if different++; different < 5 {
						t.Logf("%s: 0x%x is %s:%d, addr2line: %s", name, a, gotFile, gotLine, where)
					}
				}
			}
			compared++
		}
		// Where two rows have one address, tools choose differently.
		if withLine == 0 || different*50 > withLine {
			t.Errorf("%s: %d of %d lines differ", name, different, withLine)
		}
		t.Logf("%s: %d addresses, %d with lines, %d differ", name, compared, withLine, different)
	}
}

// TestLookupAgainstTable compares the index by address with a search of all symbols.
func TestLookupAgainstTable(t *testing.T) {
	for _, name := range realFiles(t) {
		f := open(t, name, none{})
		all := f.Symbols()
		all = slices.DeleteFunc(all, func(s Symbol) bool { return s.Size == 0 || s.Type == TypeTLS || s.Section >= 0xff00 })
		step := max(1, len(all)/150)
		wrong := 0
		for i := 0; i < len(all); i += step {
			for _, a := range []uint64{all[i].Addr, all[i].Addr + all[i].Size/2, all[i].Addr + all[i].Size - 1} {
				want := uint64(0) // the nearest start of those that cover it
				for _, s := range all {
					if s.Addr <= a && a-s.Addr < s.Size {
						want = max(want, s.Addr)
					}
				}
				got, off, ok := f.Lookup(a)
				if !ok || got.Addr != want || off != a-want || a-got.Addr >= got.Size {
					if wrong++; wrong < 5 {
						t.Errorf("%s: 0x%x is %s+0x%x (0x%x, %d), want what starts at 0x%x", name, a, got.Name, off, got.Addr, got.Size, want)
					}
				}
			}
		}
	}
}

// TestAgainstObjdump compares the names of the linkage table's stubs.
func TestAgainstObjdump(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("x86-64 stubs")
	}
	label := regexp.MustCompile(`(?m)^([0-9a-f]+) <(\S+@plt)>:`)
	files := []string{
		compile(t, "gcc", "p.c", plainC),
		compile(t, "gcc", "p.c", plainC, "-fcf-protection=full", "-Wl,-z,ibtplt"),
		compile(t, "gcc", "p.c", plainC, "-no-pie"),
		compile(t, "gcc", "p.c", plainC, "-Wl,-z,now"),
		compile(t, "musl-gcc", "p.c", plainC),
	}
	if p, err := exec.LookPath("bash"); err == nil {
		files = append(files, p)
	}
	for _, name := range files {
		have := map[uint64]string{}
		for s := range open(t, name, none{}).Each {
			if s.Type == TypePLT {
				have[s.Addr] = s.Name
			}
		}
		n := 0
		for _, m := range label.FindAllStringSubmatch(run(t, "objdump", "-d", name), -1) {
			a, _ := strconv.ParseUint(m[1], 16, 64)
			if strings.HasPrefix(m[2], "*ABS*") {
				continue
			}
			n++
			if have[a] != m[2] {
				t.Errorf("%s: 0x%x is %q, objdump: %s", name, a, have[a], m[2])
			}
		}
		if n == 0 {
			t.Errorf("%s: no stubs", name)
		}
		t.Logf("%s: %d stubs", name, n)
	}
}
