package symbols

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const inlineCC = `#include <string>
#include <vector>
namespace deep { namespace er {
static inline __attribute__((always_inline)) int leaf(int n) { return n * 7 + (n >> 2); }
struct T { int v; inline __attribute__((always_inline)) int get(int n) const { return leaf(n) + v; } };
} }
namespace { inline __attribute__((always_inline)) int hidden(int n) { deep::er::T t{n}; return t.get(n) ^ 5; } }
__attribute__((noinline)) int outer(int n) { int s = 0; for (int i = 0; i < n; i++) s += hidden(i); return s; }
template <class V> __attribute__((noinline)) int sum(const V &v) { int s = 0; for (auto x : v) s += deep::er::leaf(x); return s; }
int main(int c, char **) { std::vector<int> v(c, 3); std::string t(c, 'x'); return outer(c) + sum(v) + (int)t.size(); }
`

// bare takes from a function's name what addr2line and we write differently: parameters and template arguments.
func bare(s string) string {
	var b strings.Builder
	depth := 0
	for i, c := range s {
		switch {
		case strings.HasPrefix(s[i:], "(anonymous") || strings.HasPrefix(s[i:], "(*"):
			b.WriteRune(c)
			depth -= 1000 // up to its end
		case depth < 0:
			if b.WriteRune(c); c == ')' {
				depth += 1000
			}
		case c == '(' || c == '<' || c == '[':
			depth++
		case c == ')' || c == '>' || c == ']':
			depth--
		case depth == 0:
			b.WriteRune(c)
		}
	}
	words := strings.Fields(strings.TrimSuffix(b.String(), ".abi0"))
	if len(words) == 0 {
		return s
	}
	return words[len(words)-1]
}

// unqualified is a name without the namespaces before it, which addr2line leaves out where there is no
// linker's name.
func unqualified(s string) string { return s[strings.LastIndex(s, ":")+1:] }

// TestFramesAgainstAddr2line compares which functions were inlined where, and on which lines, with
// what addr2line reads from DWARF.
func TestFramesAgainstAddr2line(t *testing.T) {
	for _, tt := range []struct{ name, file string }{
		{"g++", compile(t, "g++", "x.cc", inlineCC, "-O2", "-g")},
		{"clang++", compile(t, "clang++", "x.cc", inlineCC, "-O2", "-gdwarf-4")}, // what binutils reads in full,
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := open(t, tt.file, none{})
			var addrs []uint64
			for s := range f.Each {
				if s.Type == TypeFunc && s.Size > 0 && len(addrs) < 4000 {
					for a := s.Addr; a < s.Addr+s.Size; a++ {
						addrs = append(addrs, a)
					}
				}
			}
			args := []string{"-a", "-f", "-i", "-C", "-e", tt.file}
			for _, a := range addrs {
				args = append(args, fmt.Sprintf("0x%x", a))
			}
			var want [][]string // function and place, by turns
			for line := range strings.Lines(run(t, "addr2line", args...)) {
				line = strings.TrimSpace(line)
				if strings.HasPrefix(line, "0x") {
					want = append(want, nil)
					continue
				}
				want[len(want)-1] = append(want[len(want)-1], line)
			}
			compared, same, inlines := 0, 0, 0
			for i, a := range addrs {
				frames := f.Frames(a)
				if len(want[i]) < 2 || strings.Contains(strings.Join(want[i], " "), "?") || frames == nil {
					continue
				}
				compared++
				inlines += len(frames) - 1
				good := len(frames) == len(want[i])/2
				for k := 0; good && k < len(frames); k++ {
					place := fmt.Sprintf("%s:%d", filepath.Base(frames[k].File), frames[k].Line)
					theirs, _, _ := strings.Cut(filepath.Base(want[i][2*k+1]), " ")
					name, theirName := bare(frames[k].Func), bare(want[i][2*k])
					good = place == theirs && (name == theirName || unqualified(name) == unqualified(theirName))
				}
				if good {
					same++
				} else if compared-same < 8 {
					t.Logf("0x%x: %+v, addr2line: %q", a, frames, want[i])
				}
			}
			t.Logf("%d of %d places are the same, with %d inlined functions", same, compared, inlines)
			if compared < 100 || inlines < 20 || 100*same < 99*compared {
				t.Error("too few")
			}
		})
	}
}

// TestGoFramesAgainstDWARF compares what Go's function table tells of inlining with what DWARF tells in the
// same file.
func TestGoFramesAgainstDWARF(t *testing.T) {
	file, src := filepath.Join(t.TempDir(), "go.out"), filepath.Join(t.TempDir(), "main.go")
	writeFile(t, src, "package main\n\nimport (\"fmt\"; \"os\"; \"strings\")\n\nfunc main() { fmt.Println(strings.ToUpper(os.Args[0])) }\n")
	cmd := exec.Command("go", "build", "-o", file, src)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, b)
	}
	f := open(t, file, none{})
	lt, err := f.lineTable()
	if err != nil || f.pcln == nil {
		t.Fatal(err)
	}
	compared, same, inlines := 0, 0, 0
	for s := range f.Each {
		for a := s.Addr; s.Type == TypeFunc && a < s.Addr+s.Size; a += 97 {
			ours, dwarf := f.pcln.frames(a), lt.frames(a)
			if ours == nil || dwarf == nil {
				continue
			}
			compared++
			inlines += len(ours) - 1
			good := len(ours) == len(dwarf)
			for k := 0; good && k < len(ours); k++ {
				good = bare(ours[k].Func) == bare(dwarf[k].Func) && ours[k].Line == dwarf[k].Line && ours[k].File == dwarf[k].File
			}
			if good {
				same++
			} else if compared-same < 8 {
				t.Logf("0x%x: %+v, DWARF: %+v", a, ours, dwarf)
			}
		}
	}
	t.Logf("%d of %d places are the same, with %d inlined functions", same, compared, inlines)
	if compared < 1000 || inlines < 100 || 100*same < 97*compared {
		t.Error("too few")
	}
}
