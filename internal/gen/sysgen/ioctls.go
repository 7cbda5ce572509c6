package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"farcall/syscalls"
)

// ioctls is the set of all commands of ioctl: a number that several headers use has all their
// names, unless strace is known to show it otherwise.
func ioctls(dir string) (*syscalls.Set, error) {
	names := map[uint64][]string{}
	err := lines(filepath.Join(dir, "ioctls-amd64.txt"), func(w []string) error {
		n, err := strconv.ParseUint(w[1], 0, 32)
		if err != nil {
			return err
		}
		if !slices.Contains(names[n], w[0]) {
			names[n] = append(names[n], w[0])
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, all := range names {
		slices.Sort(all)
	}
	err = lines(filepath.Join(dir, "ioctls-strace.txt"), func(w []string) error {
		n, err := strconv.ParseUint(w[0], 0, 32)
		if err != nil {
			return err
		}
		names[n] = []string{strings.Join(w[1:], " ")}
		return nil
	})
	if err != nil {
		return nil, err
	}
	set := &syscalls.Set{Name: "ioctls"}
	for _, n := range slices.Sorted(maps.Keys(names)) {
		set.Vals = append(set.Vals, syscalls.Val{Name: strings.Join(names[n], " or "), Value: n, Mask: n})
	}
	set.Sort()
	return set, nil
}

// lines calls f with the words of each line that is not a comment.
func lines(file string, f func(words []string) error) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for i, l := range strings.Split(string(text), "\n") {
		w := strings.Fields(l)
		if len(w) < 2 || w[0] == "#" {
			continue
		}
		if err := f(w); err != nil {
			return fmt.Errorf("%s:%d: %w", file, i+1, err)
		}
	}
	return nil
}

// nameCommands gives the constants of ioctl's variants all names of their numbers.
func nameCommands(t *syscalls.Table, commands *syscalls.Set) {
	for a := range t.Calls {
		c := t.Calls[a]["ioctl"]
		if c == nil {
			continue
		}
		for _, v := range c.Variants {
			val := &v.Args[c.Key].Type.Set.Vals[0]
			if name := commands.Lookup(syscalls.AMD64, val.Value); name != "" {
				val.Name = name
			}
		}
	}
}
