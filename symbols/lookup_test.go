package symbols

import (
	"errors"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func hexOf(v uint64) string { return strconv.FormatUint(v, 16) }

const sourceCC = `#include <string>
#include <cstdio>
#include <vector>
namespace ns {
struct T { T(int); int m(int) const; ~T(); std::string name; };
template <class X> __attribute__((noinline)) int f(X x) { return (int)x + 1; }
__attribute__((noinline)) int g(int x) { return x; }
__attribute__((noinline)) int g(double d) { puts("g"); return (int)d; }
T::T(int n) : name(n, 'x') { puts("T"); }
__attribute__((noinline)) int T::m(int x) const { return x + name.size(); }
T::~T() { puts("~T"); }
bool operator==(const T &a, const T &b) { return a.name == b.name; }
}
int main(int argc, char **argv) {
	ns::T t(argc);
	std::vector<int> v(argc, 1);
	return ns::f(1.5) + ns::g(argc) + ns::g(2.0) + t.m(1) + v[0];
}
`

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Pattern
	}{
		{"main", Pattern{Name: "main"}},
		{"libssl.so.3:SSL_read@OPENSSL_1_1_0", Pattern{Object: "libssl.so.3", Name: "SSL_read@OPENSSL_1_1_0"}},
		{"ns::f(int)", Pattern{Name: "ns::f(int)"}},
		{"libx.so:ns::f", Pattern{Object: "libx.so", Name: "ns::f"}},
		{"file.c:120", Pattern{File: "file.c", Line: 120}},
		{"src/file.c:120", Pattern{File: "src/file.c", Line: 120}},
		{"a.out:file.c:120", Pattern{Object: "a.out", File: "file.c", Line: 120}},
		{"0x401136", Pattern{Addr: 0x401136, HasAddr: true}},
		{"libc.so.6:0x10", Pattern{Object: "libc.so.6", Addr: 0x10, HasAddr: true}},
		{"main.(*T).Method", Pattern{Name: "main.(*T).Method"}},
		{"f(a::b, c:d)", Pattern{Name: "f(a::b, c:d)"}},
		{"a::b::c", Pattern{Name: "a::b::c"}},
	} {
		got, err := ParsePattern(tt.text)
		tt.want.Text = tt.text
		if err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v; want %+v", tt.text, got, err, tt.want)
		}
	}
	for _, bad := range []string{"", "0xzz", "f.c:0", "f.c:99999999999999999999"} {
		if p, err := ParsePattern(bad); err == nil {
			t.Errorf("%q: %+v", bad, p)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		glob, text string
		want       bool
	}{
		{"*", "", true}, {"*", "a/b", true}, {"a*b*c", "a/b/c", true}, {"a*b*c", "acb", false}, {"?", "", false}, {"?", "x", true},
		{"[a-c]x", "bx", true}, {"[a-c]x", "dx", false}, {"[!a-c]x", "dx", true}, {"[]x", "[]x", true}, {"a[", "a[", true}, {"[]]", "]", true},
		{"read*", "read", true}, {"read*", "pread", false}, {"**a**", "xxaxx", true}, {"", "", true}, {"", "x", false},
	} {
		if got := matchGlob(tt.glob, tt.text); got != tt.want {
			t.Errorf("matchGlob(%q, %q) is %v", tt.glob, tt.text, got)
		}
	}
	if matchGlob(strings.Repeat("*a", 2000)+"b", strings.Repeat("a", 20000)) {
		t.Error("matched what has no b")
	}
}

// TestSourceNames finds C++ functions by what their author wrote.
func TestSourceNames(t *testing.T) {
	f := open(t, compile(t, "g++", "q.cc", sourceCC, "-g"), none{})
	for _, tt := range []struct {
		pattern string
		raw     []string
	}{
		{"ns::g(int)", []string{"_ZN2ns1gEi"}},
		{"ns::g", []string{"_ZN2ns1gEi", "_ZN2ns1gEd"}},
		{"_ZN2ns1gEd", []string{"_ZN2ns1gEd"}},
		{"ns::f", []string{"_ZN2ns1fIdEEiT_"}},
		{"ns::f<double>", []string{"_ZN2ns1fIdEEiT_"}},
		{"ns::T::m", []string{"_ZNK2ns1T1mEi"}},
		{"ns::T::T", []string{"_ZN2ns1TC1Ei", "_ZN2ns1TC2Ei"}},
		{"ns::T::~T", []string{"_ZN2ns1TD1Ev", "_ZN2ns1TD2Ev"}},
		{"ns::operator==", []string{"_ZN2nseqERKNS_1TES2_"}},
		{"ns::operator==(ns::T const&,ns::T const&)", []string{"_ZN2nseqERKNS_1TES2_"}},
		{"ns::g(*", []string{"_ZN2ns1gEi", "_ZN2ns1gEd"}},
		{"std::vector<int, std::allocator<int> >::operator[]", []string{"_ZNSt6vectorIiSaIiEEixEm"}},
		{"puts@plt", []string{"puts@plt"}},
	} {
		all, err := f.Find(pattern(t, tt.pattern))
		var got []string
		for _, m := range all {
			got = append(got, m.Symbol.Name)
		}
		slices.Sort(got)
		slices.Sort(tt.raw)
		if err != nil || !slices.Equal(slices.Compact(got), tt.raw) {
			t.Errorf("%s: %v, %v; want %v", tt.pattern, got, err, tt.raw)
		}
	}

	// Two constructors at one address are one place.
	if m := resolve(t, f, "ns::T::T"); m.Symbol.Demangled() != "ns::T::T(int)" {
		t.Errorf("ns::T::T is %s", m.Symbol.Demangled())
	}
	_, err := f.Resolve(pattern(t, "ns::g"))
	var a *AmbiguousError
	if !errors.As(err, &a) || len(a.Candidates) != 2 || !strings.Contains(err.Error(), "'ns::g' names 2 places: ns::g(int) (0x") || a.Hint() == "" {
		t.Errorf("ns::g: %v", err)
	}
	_, err = f.Resolve(pattern(t, "ns::gg"))
	if e, ok := isNotFound(err); !ok || !slices.Contains(e.Near, "ns::g") {
		t.Errorf("ns::gg: %+v", err)
	}
	_, err = f.Resolve(pattern(t, "T::m"))
	if e, ok := isNotFound(err); !ok || !slices.Contains(e.Near, "ns::T::m") {
		t.Errorf("T::m: %+v", err)
	}
}

// TestRustNames finds Rust functions, in both ways that the compiler mangles.
func TestRustNames(t *testing.T) {
	if _, err := exec.LookPath("rustc"); err != nil {
		t.Skip("no rustc")
	}
	source := "mod inner { pub struct S(pub i32); impl S { #[inline(never)] pub fn get(&self) -> i32 { println!(\"{}\", self.0); self.0 } } }\nfn main() { std::process::exit(inner::S(3).get()) }\n"
	for _, mode := range []string{"v0", "legacy"} {
		flags := []string{"-Csymbol-mangling-version=" + mode}
		if mode == "legacy" {
			flags = append(flags, "-Zunstable-options")
		}
		cmd := exec.Command("rustc", append(flags, "--print", "cfg")...)
		if cmd.Run() != nil {
			continue // only nightly compilers have the old way
		}
		f := open(t, compile(t, "rustc", "r.rs", source, flags...), none{})
		all, err := f.Find(pattern(t, "out::inner::S::get"))
		if err != nil {
			all, err = f.Find(pattern(t, "*inner::S*get*"))
		}
		if err != nil || len(all) != 1 || !mangled(all[0].Symbol.Name) {
			t.Errorf("%s: %v, %v", mode, all, err)
		}
	}
}

// TestVersions builds a library with two versions of a function.
func TestVersions(t *testing.T) {
	script := t.TempDir() + "/map"
	writeFile(t, script, "V1 { global: f; local: *; };\nV2 { } V1;\n")
	lib := compile(t, "gcc", "v.c", `
__asm__(".symver f_one,f@V1"); __asm__(".symver f_two,f@@V2");
int f_one(void) { return 1; }
int f_two(void) { return 2; }
`, "-shared", "-fPIC", "-Wl,--version-script="+script)
	for _, name := range []string{lib, strip(t, lib)} {
		f := open(t, name, none{})
		one, two, any := resolve(t, f, "f@V1"), resolve(t, f, "f@V2"), resolve(t, f, "f")
		if one.Addr == two.Addr || any.Addr != two.Addr || resolve(t, f, "f@@V2").Addr != two.Addr {
			t.Errorf("%s: f@V1 0x%x, f@V2 0x%x, f 0x%x", name, one.Addr, two.Addr, any.Addr)
		}
		if v := two.Symbol.VersionedName(); v != "f@@V2" {
			t.Errorf("f@V2 is %s", v)
		}
		if v := one.Symbol.VersionedName(); v != "f@V1" {
			t.Errorf("f@V1 is %s", v)
		}
		if all, err := f.Find(pattern(t, "f@V[12]")); err != nil || len(all) != 2 {
			t.Errorf("f@V[12]: %v, %v", all, err)
		}
		if _, err := f.Resolve(pattern(t, "f@V3")); err == nil {
			t.Error("found f@V3")
		}
	}
	f := open(t, libc(t), none{})
	if s := resolve(t, f, "memcpy@GLIBC_2.14").Symbol; s.Type != TypeIFunc || !s.Default {
		t.Errorf("memcpy: %+v", s)
	}
}

// TestLines finds source lines in C programs, with and without optimisation.
func TestLines(t *testing.T) {
	for _, flags := range [][]string{{"-g"}, {"-g", "-gdwarf-4"}, {"-g", "-gz"}, {"-g", "-static"}} {
		f := open(t, compile(t, "gcc", "p.c", plainC, flags...), none{})
		m := resolve(t, f, "p.c:3")
		if m.Symbol.Name != "twice" || m.Line != 3 || m.Addr != resolve(t, f, "twice").Addr {
			t.Errorf("%v: p.c:3 is %+v", flags, m)
		}
		// Line 5 declares only: the next with code stands for it.
		if m := resolve(t, f, "p.c:5"); m.Symbol.Name != "main" || m.Line != 6 {
			t.Errorf("%v: p.c:5 is %+v", flags, m)
		}
		if file, line, ok := f.Line(m.Addr); !ok || !sameFile(file, "p.c") || line != 3 {
			t.Errorf("%v: %s:%d %v", flags, file, line, ok)
		}
		for _, none := range []string{"p.c:999", "other.c:3", "pp.c:3"} {
			if _, err := f.Resolve(pattern(t, none)); err == nil {
				t.Errorf("found %s", none)
			}
		}
	}
	f := open(t, compile(t, "gcc", "p.c", plainC), none{})
	if _, err := f.Resolve(pattern(t, "p.c:3")); !errors.Is(err, ErrNoLines) {
		t.Errorf("without -g: %v", err)
	}
}

// TestNoSymbols is about programs of which nothing is known.
func TestNoSymbols(t *testing.T) {
	own := strip(t, compile(t, "gcc", "o.c", "void _start(void) { for (;;); }\n", "-nostdlib", "-static"))
	f := open(t, own, none{})
	_, err := f.Resolve(pattern(t, "nothing"))
	if e, ok := isNotFound(err); !ok || !e.Empty || !errors.Is(err, ErrNoSymbols) || e.Hint() == "" {
		t.Errorf("%v", err)
	}
	if m := resolve(t, f, "0x"+hexOf(f.Entry)); m.Symbol.Name != "" {
		t.Errorf("%+v", m)
	}
	if _, err := f.Resolve(pattern(t, "0x10")); err == nil {
		t.Error("found an address outside of the program")
	}
}

// TestIndex builds small tables and compares who owns each address.
func TestIndex(t *testing.T) {
	type sym struct {
		name       string
		addr, size uint64
	}
	for _, tt := range []struct {
		name string
		syms []sym
		want string // owner of each address from 0, '.' for none
	}{
		{"gaps", []sym{{"a", 2, 3}, {"b", 7, 1}}, "..aaa..b........"},
		{"nested", []sym{{"a", 1, 8}, {"b", 3, 2}}, ".aabbaaaa......."},
		{"overlapping", []sym{{"a", 1, 4}, {"b", 3, 6}}, ".aabbbbbb......."},
		{"nested to the end", []sym{{"a", 1, 8}, {"b", 5, 4}}, ".aaaabbbb......."},
		{"unsized", []sym{{"a", 2, 0}, {"b", 5, 0}}, "..aaabbbbbbb...."},
		{"unsized before sized", []sym{{"a", 2, 0}, {"b", 5, 2}}, "..aaabb........."},
		{"unsized inside", []sym{{"a", 2, 6}, {"b", 4, 0}}, "..aaaaaa........"},
		{"unsized behind", []sym{{"a", 2, 2}, {"b", 6, 0}}, "..aa..bbbbbb...."},
		{"aliases", []sym{{"_b", 2, 2}, {"a", 2, 2}}, "..aa............"},
		{"aliases of two sizes", []sym{{"a", 2, 2}, {"b", 2, 5}}, "..aabbb........."},
		{"three deep", []sym{{"a", 0, 9}, {"b", 1, 7}, {"c", 2, 1}}, "abcbbbbba......."},
		{"outside the section", []sym{{"a", 13, 0}}, "................"},
	} {
		table := table{versions: []string{""}}
		for _, s := range tt.syms {
			table.addNamed(s.name, entry{addr: s.addr, size: s.size, section: 1, typ: TypeFunc, binding: BindGlobal})
		}
		table.index(func(addr uint64) uint64 {
			if addr < 12 {
				return 12
			}
			return 0
		})
		var got strings.Builder
		for a := range uint64(16) {
			if i := table.lookup(a); i >= 0 {
				got.WriteString(table.symbol(i).Name[len(table.symbol(i).Name)-1:])
			} else {
				got.WriteByte('.')
			}
		}
		if d := cmp.Diff(tt.want, got.String()); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

func TestPatternInObject(t *testing.T) {
	for _, tt := range []struct {
		object, path string
		want         bool
	}{
		{"", "/bin/ls", true},
		{"libssl", "/usr/lib/libssl.so.3", true},
		{"libssl.so.3", "/usr/lib/libssl.so.3", true},
		{"libssl.so", "/usr/lib/libssl.so.3", false},
		{"libss[kl].so.*", "/usr/lib/libssl.so.3", true},
		{"/usr/lib/libssl.so.3", "/usr/lib/libssl.so.3", true},
		{"/usr/*/libssl.so.3", "/usr/lib/libssl.so.3", true},
		{"lib", "/usr/lib/libssl.so.3", false},
		{"odd[name", "/tmp/odd[name", true},
	} {
		p := Pattern{Object: tt.object}
		if got := p.InObject(tt.path); got != tt.want {
			t.Errorf("%q in %s: %v", tt.object, tt.path, got)
		}
	}
}
