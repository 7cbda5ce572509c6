// Package constants resolves the names of the kernel's constants to their values on one
// architecture. It serves generators and tests: it reads source text and checked-in dumps and has
// no place in the product.
package constants

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/build"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// A Set is the constants of one architecture.
type Set struct {
	xsys    map[string]uint64 // golang.org/x/sys/unix
	headers map[string]uint64 // the kernel's headers
	ioctls  map[string]Ioctl
	order   []string // names of ioctls, as they stand in the file
}

// An Ioctl is one command of ioctl(2).
type Ioctl struct {
	Name   string
	Value  uint64
	Header string // under include/ that defines it
	Type   string // C type of what the argument points to, if the command encodes its size
}

// Arches are the names that Load knows: those of GOARCH.
var Arches = []string{"amd64", "386", "arm64"}

// Load reads the constants of arch: those of golang.org/x/sys/unix in the version of the module,
// and those in syscalls/linux/macros-*.txt and ioctls-ARCH.txt. It runs the go command to find both.
func Load(arch string) (*Set, error) {
	root, err := moduleDir("farcall")
	if err != nil {
		return nil, fmt.Errorf("constants: %w", err)
	}
	xsys, err := moduleDir("golang.org/x/sys")
	if err != nil {
		return nil, fmt.Errorf("constants: %w", err)
	}
	s := &Set{headers: map[string]uint64{}, ioctls: map[string]Ioctl{}}
	if s.xsys, err = packageConstants(filepath.Join(xsys, "unix"), arch); err != nil {
		return nil, fmt.Errorf("constants: x/sys for %s: %w", arch, err)
	}
	dir := filepath.Join(root, "syscalls", "linux")
	if err := s.readHeaders(filepath.Join(dir, "macros-extra.txt")); err != nil {
		return nil, fmt.Errorf("constants: %w", err)
	}
	files := []string{"amd64"}
	if arch != "amd64" {
		files = append(files, arch) // what differs
	}
	for _, file := range files {
		if err := s.readHeaders(filepath.Join(dir, "macros-"+file+".txt")); err != nil {
			return nil, fmt.Errorf("constants: %w", err)
		}
		if err := s.readIoctls(filepath.Join(dir, "ioctls-"+file+".txt")); err != nil {
			return nil, fmt.Errorf("constants: %w", err)
		}
	}
	return s, nil
}

// Value is the value of the constant name, of a negative one its two's complement. The kernel's
// headers take precedence: x/sys takes some values from glibc, O_LARGEFILE for one.
func (s *Set) Value(name string) (uint64, bool) {
	if v, ok := s.headers[name]; ok {
		return v, true
	}
	if v, ok := s.xsys[name]; ok {
		return v, true
	}
	c, ok := s.ioctls[name]
	return c.Value, ok
}

// InXSys reports whether unix.name stands for the same value, so that generated code may use it.
func (s *Set) InXSys(name string) bool {
	v, ok := s.xsys[name]
	if !ok {
		return false
	}
	h, ok := s.headers[name]
	return !ok || h == v
}

// Ioctls are the commands of ioctl, in the order of the file; several may share a value.
func (s *Set) Ioctls() []Ioctl {
	list := make([]Ioctl, 0, len(s.order))
	for _, name := range s.order {
		if c, ok := s.ioctls[name]; ok {
			list = append(list, c)
		}
	}
	return list
}

func moduleDir(module string) (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("go list -m %s: %w", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// readLines calls row with the fields of each line of a dump.
func readLines(path string, row func(fields []string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := eachLine(f, row); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func eachLine(r io.Reader, row func(fields []string) error) error {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 2 {
			return fmt.Errorf("line %d: want \"NAME value\", got %q", n, line)
		}
		if err := row(fields); err != nil {
			return fmt.Errorf("line %d: %s: %w", n, fields[0], err)
		}
	}
	return lines.Err()
}

// parseValue reads a decimal, negative or 0x number.
func parseValue(s string) (uint64, error) {
	if strings.HasPrefix(s, "-") {
		n, err := strconv.ParseInt(s, 0, 64)
		return uint64(n), err
	}
	return strconv.ParseUint(s, 0, 64)
}

const unknown = "-" // the value of a name that an architecture lacks

func (s *Set) readHeaders(path string) error {
	return readLines(path, func(fields []string) error {
		if fields[1] == unknown {
			delete(s.headers, fields[0])
			return nil
		}
		v, err := parseValue(fields[1])
		s.headers[fields[0]] = v
		return err
	})
}

func (s *Set) readIoctls(path string) error {
	return readLines(path, func(fields []string) error {
		name := fields[0]
		if fields[1] == unknown {
			delete(s.ioctls, name)
			return nil
		}
		v, err := parseValue(fields[1])
		if err != nil {
			return err
		}
		if len(fields) < 3 {
			return fmt.Errorf("no header")
		}
		if _, ok := s.ioctls[name]; !ok {
			s.order = append(s.order, name)
		}
		s.ioctls[name] = Ioctl{name, v, fields[2], strings.Join(fields[3:], " ")}
		return nil
	})
}

// packageConstants type-checks the Go package in dir for Linux on arch and returns its integer
// constants. Function bodies and errors are ignored: constants depend on neither.
func packageConstants(dir, arch string) (map[string]uint64, error) {
	ctx := build.Default
	ctx.GOOS, ctx.GOARCH, ctx.CgoEnabled = "linux", arch, false
	pkg, err := ctx.ImportDir(dir, 0)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range pkg.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	conf := types.Config{
		Importer:         onlySyscall{},
		Sizes:            types.SizesFor("gc", arch),
		IgnoreFuncBodies: true,
		Error:            func(error) {}, // missing imports
	}
	checked, _ := conf.Check(pkg.ImportPath, fset, files, nil)
	if checked == nil {
		return nil, fmt.Errorf("%s: nothing checked", dir)
	}
	values := map[string]uint64{}
	for _, name := range checked.Scope().Names() {
		c, ok := checked.Scope().Lookup(name).(*types.Const)
		if !ok || !c.Exported() {
			continue
		}
		v := constant.ToInt(c.Val())
		if v.Kind() != constant.Int {
			continue // a string, or unknown
		}
		if u, exact := constant.Uint64Val(v); exact {
			values[name] = u
		} else if n, exact := constant.Int64Val(v); exact {
			values[name] = uint64(n)
		}
	}
	if len(values) < 5000 {
		return nil, fmt.Errorf("%s: only %d constants", dir, len(values))
	}
	return values, nil
}

// onlySyscall imports package unsafe and a package syscall that has but the types which x/sys
// gives its constants.
type onlySyscall struct{}

func (onlySyscall) Import(path string) (*types.Package, error) {
	switch path {
	case "unsafe":
		return types.Unsafe, nil
	case "syscall":
		pkg := types.NewPackage(path, path)
		for name, kind := range map[string]types.BasicKind{"Errno": types.Uintptr, "Signal": types.Int} {
			obj := types.NewTypeName(token.NoPos, pkg, name, nil)
			types.NewNamed(obj, types.Typ[kind], nil)
			pkg.Scope().Insert(obj)
		}
		pkg.MarkComplete()
		return pkg, nil
	}
	return nil, fmt.Errorf("%s is not needed", path)
}
