package unwind

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"farcall/symbols"
)

// none finds no debug files.
type none struct{}

func (none) Open(string) (io.ReaderAt, int64, error) { return nil, 0, fs.ErrNotExist }

func open(t testing.TB, name string) *Table {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := symbols.NewFile(bytes.NewReader(b), int64(len(b)), symbols.Options{Name: name, Finder: none{}})
	if err != nil {
		t.Fatal(err)
	}
	table, err := NewTable(f)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

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

// build compiles a program and returns its path.
func build(t testing.TB, env []string, name string, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	cmd := exec.Command(name, append(args, "-o", out)...)
	cmd.Env = append(os.Environ(), env...)
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, b)
	}
	return out
}

const goProgram = `package main

import ("fmt"; "os"; "strings")

func main() { fmt.Fprintln(os.Stdout, strings.Repeat("x", len(os.Args))) }
`

// goBinary compiles goProgram; flags come after "go build".
func goBinary(t testing.TB, arch string, flags ...string) string {
	t.Helper()
	src := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(src, []byte(goProgram), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	cmd := exec.Command("go", append(append([]string{"build", "-o", out}, flags...), src)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch, "GOOS=linux")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, b)
	}
	return out
}

// interpreted is a row that readelf prints of a file's frame information.
type interpreted struct {
	addr  uint64
	cfa   string
	names []string // of the columns
	rules []string
}

// readelf has readelf interpret all frame information of a section.
func readelf(t *testing.T, file, section string) []interpreted {
	t.Helper()
	cmd := exec.Command("readelf", "--wide", "--debug-dump=frames-interp", file)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && len(out) > 0) {
		t.Fatal(err)
	}
	var rows []interpreted
	var names []string
	in, function := false, false
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		line := s.Text()
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "Contents of the"):
			in = strings.Contains(line, section+" section")
		case !in || len(words) == 0:
			names = nil
		case strings.Contains(line, " FDE "):
			function = true
		case strings.Contains(line, " CIE "):
			function = false
		case words[0] == "LOC":
			names = words[2:]
		case function && names != nil && len(words) == len(names)+2:
			r := interpreted{cfa: words[1], names: names, rules: words[2:]}
			if _, err := fmt.Sscanf(words[0], "%x", &r.addr); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// The names that readelf gives registers, by number.
var registerNames = map[string][]string{
	"x86-64": strings.Fields("rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 ra"),
	"arm64": strings.Fields("x0 x1 x2 x3 x4 x5 x6 x7 x8 x9 x10 x11 x12 x13 x14 x15 x16 x17 x18 x19 x20 x21 x22 x23 x24 x25 " +
		"x26 x27 x28 x29 ra sp"),
}

// text writes a rule as readelf does.
func (r rule) text(names []string) string {
	switch r.kind {
	case ruleSame:
		return "s"
	case ruleOffset:
		return fmt.Sprintf("c%+d", r.off)
	case ruleValue:
		return fmt.Sprintf("v%+d", r.off)
	case ruleRegister:
		return names[r.reg]
	case ruleExpr:
		return "exp"
	case ruleValExpr:
		return "vexp"
	case ruleCFA:
		return fmt.Sprintf("%s%+d", names[r.reg], r.off)
	}
	return "u"
}

// TestAgainstReadelf compares every row of frame information with what readelf makes of it.
func TestAgainstReadelf(t *testing.T) {
	src := filepath.Join(t.TempDir(), "x.cc")
	text := "#include <string>\n#include <iostream>\nint main(int c, char **v) { std::string s(v[0]); char a[c]; a[0] = 1;\n" +
		"try { s.at(99); } catch (std::exception &e) { std::cout << e.what() << a[0]; } return 0; }\n"
	if err := os.WriteFile(src, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, file, section string
		least               int
	}{
		{"libc", libc(t), ".eh_frame", 20000},
		{"c++", build(t, nil, "g++", "-O2", "-g", src), ".eh_frame", 10},
		{"c++ without sorted table", build(t, nil, "g++", "-O2", "-Wl,--no-eh-frame-hdr", "-static", src), ".eh_frame", 10000},
		{"debug_frame", build(t, nil, "g++", "-O2", "-g", "-fno-asynchronous-unwind-tables", "-fno-exceptions", "-xc", cSource(t)), ".debug_frame", 5},
		{"go", goBinary(t, "amd64"), ".debug_frame", 5000},
		{"go arm64", goBinary(t, "arm64"), ".debug_frame", 5000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table := open(t, tt.file)
			names := registerNames[table.Machine.Name]
			rows := readelf(t, tt.file, tt.section)
			if len(rows) < tt.least {
				t.Fatalf("readelf shows %d rows, want at least %d", len(rows), tt.least)
			}
			bad := 0
			for i, want := range rows {
				if i+1 < len(rows) && rows[i+1].addr == want.addr {
					continue // overridden at the same place
				}
				got := table.row(want.addr, new(maxWork))
				if bad > 20 {
					break
				}
				if got == nil {
					t.Errorf("0x%x: no row", want.addr)
					bad++
					continue
				}
				if cfa := got.cfa.text(names); cfa != want.cfa {
					t.Errorf("0x%x: CFA is %s, readelf says %s", want.addr, cfa, want.cfa)
					bad++
				}
				for k, name := range want.names {
					reg := uint8(0)
					for n := range names {
						if names[n] == name {
							reg = uint8(n)
						}
					}
					if rule := got.get(reg).text(names); rule != want.rules[k] {
						t.Errorf("0x%x: %s is %s, readelf says %s", want.addr, name, rule, want.rules[k])
						bad++
					}
				}
			}
		})
	}
}

func cSource(t testing.TB) string {
	t.Helper()
	src := filepath.Join(t.TempDir(), "x.c")
	text := "#include <unistd.h>\nint f(int n) { return n ? f(n - 1) + write(1, \"\", 0) : 0; }\nint main(int c, char **v) { return f(c); }\n"
	if err := os.WriteFile(src, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return src
}

// TestGoFrames compares the sizes in Go's function table with .debug_frame of the same file: above the
// frame is the return address, where calls push it.
func TestGoFrames(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			file := goBinary(t, arch)
			table := open(t, file)
			names := registerNames[table.Machine.Name]
			n, bad := 0, 0
			for _, want := range readelf(t, file, ".debug_frame") {
				g, ok := table.File.GoFrame(want.addr)
				row := table.row(want.addr, new(maxWork))
				if !ok || row == nil || int(row.cfa.reg) != table.Machine.SP {
					continue
				}
				size := int64(g.Size)
				if table.Machine.LR < 0 {
					size += int64(table.Machine.Word)
				}
				n++
				if row.cfa.off != size {
					if bad++; bad < 10 {
						t.Errorf("0x%x in %s: frame of %d, CFA is %s", want.addr, g.Name, g.Size, row.cfa.text(names))
					}
				}
			}
			if n < 5000 {
				t.Errorf("only %d places were compared", n)
			}
		})
	}
}
