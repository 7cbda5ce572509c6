package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// x32Bit is asm/unistd.h's __X32_SYSCALL_BIT; the text files leave it out.
const x32Bit = 0x40000000

// An abiSource says where the numbers of an ABI stand.
type abiSource struct {
	abi    string // name in the files, as syscalls.ABI prints it
	ident  string // its Go constant in package syscalls
	xsys   string // file in golang.org/x/sys/unix, "" if that does not know the ABI
	header string // under /usr/include; "" if no native header of this machine has it
}

var abiSources = []abiSource{
	{"amd64", "AMD64", "zsysnum_linux_amd64.go", "x86_64-linux-gnu/asm/unistd_64.h"},
	{"i386", "I386", "zsysnum_linux_386.go", "x86_64-linux-gnu/asm/unistd_32.h"},
	{"x32", "X32", "", "x86_64-linux-gnu/asm/unistd_x32.h"},
	{"arm64", "ARM64", "zsysnum_linux_arm64.go", ""},
}

// notX32 are the calls from 424 up that arch/x86/entry/syscalls/syscall_64.tbl gives to the
// "64" ABI alone. All others there are "common" and so x32 calls of the same number.
var notX32 = map[string]bool{"map_shadow_stack": true}

// firstCommon is the first number that every architecture uses for the same call
// (the y2038 series and later).
const firstCommon = 424

// numbers maps the names of one ABI's calls to their numbers.
type numbers map[string]uint32

// add records one fact and refuses a contradiction with an earlier one.
func (n numbers) add(name string, nr uint32, source string) error {
	if old, ok := n[name]; ok && old != nr {
		return fmt.Errorf("%s: %s is %d, was %d", source, name, nr, old)
	}
	n[name] = nr
	return nil
}

var (
	xsysLine   = regexp.MustCompile(`(?m)^\s*SYS_(\w+)\s*=\s*(\d+)$`)
	headerLine = regexp.MustCompile(`(?m)^#define __NR_(\w+) \(?(?:__X32_SYSCALL_BIT \+ )?(\d+)\)?$`)
)

func (n numbers) addFile(path string, line *regexp.Regexp) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	found := line.FindAllSubmatch(text, -1)
	if len(found) < 300 {
		return fmt.Errorf("%s: only %d calls recognised", path, len(found))
	}
	for _, m := range found {
		if string(m[1]) == "ARCH_SPECIFIC_SYSCALL" {
			continue // the base of an unused range, not a call
		}
		nr, err := strconv.ParseUint(string(m[2]), 10, 32)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", path, m[1], err)
		}
		if err := n.add(strings.ToLower(string(m[1])), uint32(nr), path); err != nil {
			return err
		}
	}
	return nil
}

// observeNumbers joins what the text files hold already, x/sys of go.mod's version and the
// headers of this machine. A call never disappears: old numbers are not reused.
func observeNumbers(dir string) error {
	xsys, err := moduleDir("golang.org/x/sys")
	if err != nil {
		return err
	}
	var amd64 numbers
	for _, src := range abiSources {
		path := filepath.Join(dir, "linux", "numbers-"+src.abi+".txt")
		n, err := readNumbers(path)
		if errors.Is(err, fs.ErrNotExist) {
			n = numbers{}
		} else if err != nil {
			return err
		}
		if src.xsys != "" {
			if err := n.addFile(filepath.Join(xsys, "unix", src.xsys), xsysLine); err != nil {
				return err
			}
		}
		if src.header != "" {
			if err := n.addFile(filepath.Join("/usr/include", src.header), headerLine); err != nil {
				return err
			}
		}
		switch src.abi {
		case "amd64":
			amd64 = n
		case "x32":
			for name, nr := range amd64 {
				if nr >= firstCommon && !notX32[name] {
					if err := n.add(name, nr, "x32 from amd64"); err != nil {
						return err
					}
				}
			}
		}
		if err := writeNumbers(path, src.abi, n); err != nil {
			return err
		}
	}
	return nil
}

func moduleDir(module string) (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("go list -m %s: %w", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}

func (n numbers) sorted() []string {
	names := make([]string, 0, len(n))
	for name := range n {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(n[a], n[b]) })
	return names
}

func writeNumbers(path, abi string, n numbers) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Numbers and names of the calls of %s, one \"number name\" on each line, by number.\n", abi)
	b.WriteString("# Joined from golang.org/x/sys/unix and linux-libc-dev; see internal/gen/facts.\n")
	for _, name := range n.sorted() {
		fmt.Fprintf(&b, "%d %s\n", n[name], name)
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func readNumbers(path string) (numbers, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n := numbers{}
	byNumber := map[uint32]string{}
	lines := bufio.NewScanner(f)
	for i := 1; lines.Scan(); i++ {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		first, name, ok := strings.Cut(line, " ")
		nr, err := strconv.ParseUint(first, 10, 32)
		if !ok || err != nil || nr >= x32Bit {
			return nil, fmt.Errorf("%s:%d: want \"number name\", got %q", path, i, line)
		}
		if other, ok := byNumber[uint32(nr)]; ok {
			return nil, fmt.Errorf("%s:%d: %d is %s and %s", path, i, nr, other, name)
		}
		byNumber[uint32(nr)] = name
		if _, ok := n[name]; ok {
			return nil, fmt.Errorf("%s:%d: %s stands twice", path, i, name)
		}
		n[name] = uint32(nr)
	}
	return n, lines.Err()
}

// generateNumbers writes for each ABI an array of names indexed by number and the numbers in
// the order of their names. Arrays of strings and integers are laid out by the linker: nothing
// runs at start.
func generateNumbers(dir string) error {
	var b bytes.Buffer
	b.WriteString(generatedBy("znumbers", "linux/numbers-*.txt"))
	b.WriteString("package syscalls\n\n")
	var names, sorted bytes.Buffer
	for _, src := range abiSources {
		n, err := readNumbers(filepath.Join(dir, "linux", "numbers-"+src.abi+".txt"))
		if err != nil {
			return err
		}
		list := n.sorted()
		fmt.Fprintf(&names, "var names%s = [...]string{\n", src.ident)
		for _, name := range list {
			fmt.Fprintf(&names, "\t%d: %q,\n", n[name], name)
		}
		names.WriteString("}\n\n")
		slices.Sort(list)
		fmt.Fprintf(&sorted, "var sorted%s = [...]uint16{", src.ident)
		for i, name := range list {
			if i%16 == 0 {
				sorted.WriteString("\n\t")
			}
			fmt.Fprintf(&sorted, "%d, ", n[name])
		}
		sorted.WriteString("\n}\n\n")
	}
	b.WriteString("// Names of the calls, indexed by number; gaps are empty. X32 numbers are without X32Bit.\n\n")
	b.Write(names.Bytes())
	b.WriteString("// Numbers of the calls in the order of their names.\n\n")
	b.Write(sorted.Bytes())
	return writeGo(filepath.Join(dir, "znumbers.go"), b.Bytes())
}

// generatedBy is the first line of a generated file.
func generatedBy(subcommand, inputs string) string {
	return fmt.Sprintf("// Code generated by internal/gen/facts %s from %s. DO NOT EDIT.\n\n", subcommand, inputs)
}

func writeGo(path string, src []byte) error {
	out, err := format.Source(src)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, out, 0o644)
}
