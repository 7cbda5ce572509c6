// Command sysgen turns the descriptions in syscalls/linux into Go data: it is run by go
// generate in package linux.
package main

import (
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"strings"

	"farcall/internal/gen/tracefs"
	"farcall/syscalls"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sysgen DESCRIPTIONS OUTPUT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "sysgen:", err)
		os.Exit(1)
	}
}

func run(dir, output string) error {
	consts, err := loadConsts()
	if err != nil {
		return err
	}
	table, err := Load(dir, consts)
	if err != nil {
		return err
	}
	text := newEmitter().table(table)
	src, err := format.Source(text)
	if err != nil {
		os.WriteFile(output+".broken", text, 0o644)
		return fmt.Errorf("format output: %w", err)
	}
	return os.WriteFile(output, src, 0o644)
}

// Load parses the descriptions of a directory, checks them against the kernel's own prototypes
// and completes them with those.
func Load(dir string, consts syscalls.Consts) (*syscalls.Table, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.sys"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no descriptions in %s: %w", dir, err)
	}
	var sources []syscalls.Source
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		sources = append(sources, syscalls.Source{Name: f, Text: string(text)})
	}
	commands, err := ioctls(dir)
	if err != nil {
		return nil, err
	}
	table, err := syscalls.Parse(sources, consts, &syscalls.Table{Sets: map[string]*syscalls.Set{commands.Name: commands}})
	if err != nil {
		return nil, err
	}
	table.Sets[commands.Name] = commands
	nameCommands(table, commands)
	protos, err := prototypes(dir)
	if err != nil {
		return nil, err
	}
	if err := check(table, protos); err != nil {
		return nil, err
	}
	if err := classes(table, filepath.Join(dir, "classes.txt")); err != nil {
		return nil, err
	}
	derive(table, protos)
	return table, classes(table, filepath.Join(dir, "classes.txt"))
}

// prototypes reads the kernel's prototypes and those that it does not publish.
func prototypes(dir string) (map[string][]tracefs.Arg, error) {
	all := map[string][]tracefs.Arg{}
	files, err := filepath.Glob(filepath.Join(dir, "tracefs-*.txt"))
	if err != nil {
		return nil, err
	}
	for _, f := range append(files, filepath.Join(dir, "untraced.txt")) {
		in, err := os.Open(f)
		if err != nil {
			return nil, err
		}
		m, err := tracefs.Parse(in)
		in.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		for name, args := range m {
			all[name] = args
		}
	}
	return all, nil
}

// classes gives each call the classes that the checked-in list names, and wants the two to agree
// where a description names classes itself.
func classes(t *syscalls.Table, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for n, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		var class syscalls.Class
		for _, w := range words[1:] {
			c, ok := syscalls.ClassByName(w)
			if !ok {
				return fmt.Errorf("%s:%d: unknown class %q", file, n+1, w)
			}
			class |= c
		}
		for a := range t.Calls {
			c := t.Calls[a][words[0]]
			if c == nil {
				continue
			}
			if said := c.Class &^ syscalls.ClassNever; said != 0 && said != class {
				return fmt.Errorf("%s:%d: %s is described as %v, and listed as %v", file, n+1, c.Name, said, class)
			}
			c.Class |= class
			for _, v := range c.Variants {
				v.Class |= c.Class
			}
		}
	}
	return nil
}
