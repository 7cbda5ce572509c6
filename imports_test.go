package farcall_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "farcall"

// layers is the order in which packages stand; imports point down it only. A package belongs to the longest entry that
// is its path or a parent of it; packages of one entry may import each other.
var layers = []string{
	"cmd",
	"internal/cli",
	"internal/cmdline",
	"internal/doctor",
	"internal/inject",
	"internal/cnumber",
	"internal/proxy",
	"farcalltest",
	"middleware",
	"rule",
	"action",
	".", // the public package: Tracer, Call, Handler
	"internal/region",
	"internal/engine",
	"internal/stack",
	"internal/profile",
	"internal/notify",
	"internal/seccomp",
	"internal/stub",
	"internal/marks",
	"internal/ptrace",
	"internal/fuse",
	"internal/linux",
	"internal/wrap",
	"internal/message",
	"remote",
	"symbols",
	"event",
	"filter",
	"decode",
	"syscalls",
	"include", // the header for programs in C
	"mark",    // for programs in Go; it imports nothing of ours
}

// pure packages touch no process and build on any operating system.
var pure = []string{"remote/wire", "symbols", "event", "filter", "decode", "syscalls"}

// development packages serve tests, generators and measurements; the product does not import them, they may import it all.
var development = []string{"internal/bench", "internal/compare", "internal/gen", "internal/fixture"}

// impure lists what a pure package may not depend on, directly or not.
var impure = []string{"os/exec", "os/signal", "net", "plugin", "runtime/cgo", "golang.org/x/sys/unix", "golang.org/x/term"}

// pkg is the part of `go list -json` that matters here.
type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
	Module     *struct{ Path string }
}

func goList(t *testing.T, env []string, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps,Standard,Module"}, args...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Env = append(cmd.Env, env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	var pkgs []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// relative returns the path within the module, "." for its root, and false for packages of others.
func relative(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// under reports whether package p is dir or lies below it.
func under(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// layer returns the package's place in layers, or -1.
func layer(p string) int {
	if p == "." {
		return slices.Index(layers, ".")
	}
	return slices.IndexFunc(layers, func(l string) bool { return l != "." && under(p, l) })
}

func isDevelopment(p string) bool {
	return slices.ContainsFunc(development, func(d string) bool { return under(p, d) })
}

func isPure(p string) bool {
	return slices.ContainsFunc(pure, func(d string) bool { return under(p, d) })
}

// importViolations checks each package's imports against the tables.
func importViolations(pkgs []pkg) []string {
	var out []string
	for _, p := range pkgs {
		from, ours := relative(p.ImportPath)
		if !ours || isDevelopment(from) {
			continue
		}
		if layer(from) < 0 {
			out = append(out, from+" has no place in layers (imports_test.go): decide what may import it")
			continue
		}
		for _, imported := range p.Imports {
			to, ours := relative(imported)
			switch {
			case !ours:
			case isDevelopment(to):
				out = append(out, from+" imports "+to+", which is for development")
			case layer(to) < 0: // told once, above
			case layer(to) < layer(from):
				out = append(out, from+" imports "+to+", which stands above it")
			}
		}
		if !isPure(from) {
			continue
		}
		for _, dep := range p.Deps {
			to, ours := relative(dep)
			if slices.Contains(impure, dep) || ours && !isPure(to) {
				out = append(out, from+" must be pure and depends on "+dep)
			}
		}
	}
	return out
}

func TestImportsPointDown(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		for _, v := range importViolations(goList(t, []string{"GOOS=linux", "GOARCH=" + arch}, "./...")) {
			t.Errorf("%s: %s", arch, v)
		}
	}
}

// TestImportRuleSees makes sure that the rule can be broken.
func TestImportRuleSees(t *testing.T) {
	tests := []struct {
		name string
		pkg  pkg
		want string
	}{
		{"up", pkg{ImportPath: "farcall/decode", Imports: []string{"farcall/event"}}, "stands above"},
		{"up, to the root", pkg{ImportPath: "farcall/internal/engine", Imports: []string{"farcall"}}, "stands above"},
		{"a directory below", pkg{ImportPath: "farcall/syscalls/x", Imports: []string{"farcall/internal/cli/y"}}, "stands above"},
		{"development", pkg{ImportPath: "farcall/internal/cli", Imports: []string{"farcall/internal/compare"}}, "for development"},
		{"no place", pkg{ImportPath: "farcall/misc"}, "no place"},
		{"a name that only begins alike", pkg{ImportPath: "farcall/decoder"}, "no place"},
		{"impure library", pkg{ImportPath: "farcall/filter", Deps: []string{"golang.org/x/sys/unix"}}, "must be pure"},
		{"impure package", pkg{ImportPath: "farcall/decode", Deps: []string{"farcall/internal/ptrace"}}, "must be pure"},
		{"fine", pkg{ImportPath: "farcall/internal/engine", Imports: []string{"farcall/internal/ptrace", "farcall/decode", "os/exec"}}, ""},
		{"another module", pkg{ImportPath: "example.org/x", Imports: []string{"farcall"}}, ""},
	}
	for _, tt := range tests {
		got := strings.Join(importViolations([]pkg{tt.pkg}), "\n")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want it to contain %q", tt.name, got, tt.want)
		}
	}
}

// TestPurePackagesBuildElsewhere builds them for systems that have no ptrace.
func TestPurePackagesBuildElsewhere(t *testing.T) {
	var paths []string
	for _, p := range goList(t, nil, "./...") {
		if rel, ours := relative(p.ImportPath); ours && isPure(rel) {
			paths = append(paths, p.ImportPath)
		}
	}
	if len(paths) == 0 {
		t.Fatal("no pure packages found")
	}
	for _, goos := range []string{"darwin", "windows"} {
		cmd := exec.Command("go", append([]string{"build"}, paths...)...)
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("GOOS=%s: %v\n%s", goos, err, out)
		}
	}
}

// TestLinkedDependencies compares what the program links with the reviewed list.
func TestLinkedDependencies(t *testing.T) {
	reviewed := map[string]bool{}
	f, err := os.Open("dependencies.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, why, _ := strings.Cut(line, " ")
		if strings.TrimSpace(why) == "" {
			t.Errorf("dependencies.txt: %s: say what it is for", name)
		}
		reviewed[name] = true
	}

	linked := map[string][]string{} // by module: packages
	for _, arch := range []string{"amd64", "arm64"} {
		for _, p := range goList(t, []string{"GOOS=linux", "GOARCH=" + arch}, "-deps", "./...") {
			rel, ours := relative(p.ImportPath)
			if !ours || isDevelopment(rel) {
				continue
			}
			for _, dep := range p.Deps {
				if first, _, _ := strings.Cut(dep, "/"); strings.Contains(first, ".") {
					linked[dep] = append(linked[dep], rel)
				}
			}
		}
	}
	used := map[string]bool{}
	for dep, by := range linked {
		name := dep
		for name != "." && !reviewed[name] {
			name = path.Dir(name)
		}
		if name == "." {
			t.Errorf("%s (linked by %s) is not in dependencies.txt: review it and add its module", dep, by[0])
		}
		used[name] = true
	}
	for name := range reviewed {
		if !used[name] {
			t.Errorf("dependencies.txt: %s is not linked: remove it", name)
		}
	}
}
