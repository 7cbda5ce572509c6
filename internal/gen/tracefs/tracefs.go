// Package tracefs reads prototypes of system calls: as the kernel shows them in
// /sys/kernel/tracing/events/syscalls/sys_enter_*/format, and as the one-line form
// "name(type arg, type arg)" in which they are checked in under syscalls/linux.
package tracefs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MaxArgs is the number of arguments that a call may have: as many as registers carry them.
const MaxArgs = 6

// An Arg is one argument of a call in the words of the kernel's own prototype.
type Arg struct {
	Type string // a C type in normal form: single spaces, "const char *", "struct iocb * *"
	Name string
}

// Pointer reports whether the argument is an address. Two typedefs of uapi/linux/capability.h
// hide their star.
func (a Arg) Pointer() bool {
	return strings.Contains(a.Type, "*") || a.Type == "cap_user_header_t" || strings.HasSuffix(a.Type, "cap_user_data_t")
}

func (a Arg) String() string { return a.Type + " " + a.Name }

// Format is the line that Parse reads back.
func Format(call string, args []Arg) string {
	parts := make([]string, len(args))
	for i, arg := range args {
		parts[i] = arg.String()
	}
	return call + "(" + strings.Join(parts, ", ") + ")"
}

// Parse reads lines of the form "name(type arg, type arg)"; empty lines and those that start with
// # are skipped. The result has an entry, though maybe an empty one, for each call named. Errors
// carry the number of the line.
func Parse(r io.Reader) (map[string][]Arg, error) {
	calls := map[string][]Arg{}
	lines := bufio.NewScanner(r)
	n := 0
	for lines.Scan() {
		n++
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, args, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if _, ok := calls[name]; ok {
			return nil, fmt.Errorf("line %d: %s stands twice", n, name)
		}
		calls[name] = args
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n+1, err)
	}
	return calls, nil
}

func parseLine(line string) (string, []Arg, error) {
	name, rest, ok := strings.Cut(line, "(")
	if !ok || !isIdentifier(name) {
		return "", nil, fmt.Errorf("want name(type arg, ...), got %q", line)
	}
	rest, ok = strings.CutSuffix(rest, ")")
	if !ok {
		return "", nil, fmt.Errorf("%s: no closing parenthesis", name)
	}
	args := []Arg{}
	if strings.TrimSpace(rest) == "" {
		return name, args, nil
	}
	for decl := range strings.SplitSeq(rest, ",") {
		arg, err := parseArg(decl)
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, other := range args {
			if other.Name == arg.Name {
				return "", nil, fmt.Errorf("%s: two arguments are named %s", name, arg.Name)
			}
		}
		args = append(args, arg)
	}
	if len(args) > MaxArgs {
		return "", nil, fmt.Errorf("%s: %d arguments, more than %d", name, len(args), MaxArgs)
	}
	return name, args, nil
}

// parseArg reads a C declaration "type name"; stars may touch either.
func parseArg(decl string) (Arg, error) {
	words := strings.Fields(strings.ReplaceAll(decl, "*", " * "))
	if len(words) < 2 {
		return Arg{}, fmt.Errorf("want a type and a name, got %q", decl)
	}
	last := len(words) - 1
	if !isIdentifier(words[last]) || words[0] == "*" {
		return Arg{}, fmt.Errorf("want a type and a name, got %q", decl)
	}
	for _, word := range words[:last] {
		if word != "*" && !isIdentifier(word) {
			return Arg{}, fmt.Errorf("%q cannot stand in a type", word)
		}
	}
	return Arg{Type: strings.Join(words[:last], " "), Name: words[last]}, nil
}

func isIdentifier(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case c == '_', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case '0' <= c && c <= '9' && i > 0:
		default:
			return false
		}
	}
	return s != ""
}

// ParseFormat reads a sys_enter_*/format file of tracefs (Documentation/trace/events.rst) and
// returns the name behind sys_enter_, which is that of the kernel's function and not always that
// of the call, and the arguments.
func ParseFormat(r io.Reader) (name string, args []Arg, err error) {
	lines := bufio.NewScanner(r)
	inArgs := false
	args = []Arg{}
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if rest, ok := strings.CutPrefix(line, "name: sys_enter_"); ok {
			name = rest
			continue
		}
		field, ok := strings.CutPrefix(line, "field:")
		if !ok {
			continue
		}
		decl, _, _ := strings.Cut(field, ";")
		if decl == "int __syscall_nr" { // the arguments follow
			inArgs = true
			continue
		}
		if !inArgs {
			continue
		}
		arg, err := parseArg(decl)
		if err != nil {
			return "", nil, fmt.Errorf("sys_enter_%s: %w", name, err)
		}
		args = append(args, arg)
	}
	switch {
	case lines.Err() != nil:
		return "", nil, lines.Err()
	case name == "" || !inArgs:
		return "", nil, errors.New("not a sys_enter format")
	}
	return name, args, nil
}
