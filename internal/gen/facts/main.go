// Facts regenerates the tables of kernel facts under syscalls/: the numbers of the calls,
// error and signal names, constants, ioctl commands, classes of calls and their prototypes.
//
// Two kinds of subcommand exist. Those that observe a machine (its headers, its running
// kernel, its strace) write the text files in syscalls/linux, which are checked in; they are
// run by hand, on a machine that has something newer to tell. Those that turn the text into
// Go read nothing but the repository, are run by go generate and give the same output anywhere.
package main

import (
	"fmt"
	"os"
	"sort"
)

// A command is one subcommand; dir is the directory of package syscalls.
type command struct {
	about string
	run   func(dir string) error
}

var commands = map[string]command{
	"classes":    {"observe the strace of this machine: linux/classes.txt", observeClasses},
	"errno":      {"observe the strace of this machine: linux/errno.txt", observeErrnos},
	"prototypes": {"observe tracefs of this machine: linux/tracefs-*.txt", observePrototypes},
	"ioctlnames": {"observe the strace of this machine: linux/ioctls-strace.txt", observeIoctlNames},
	"macros":     {"observe the headers under $FACTS_INCLUDE: linux/macros-*.txt, linux/ioctls-*.txt", observeMacros},
	"zerrno":     {"generate zerrno.go from linux/errno.txt", generateErrnos},
	"numbers":    {"observe x/sys and the headers: linux/numbers-*.txt", observeNumbers},
	"znumbers":   {"generate znumbers.go from linux/numbers-*.txt", generateNumbers},
}

func main() {
	if len(os.Args) != 3 {
		usage()
	}
	cmd, ok := commands[os.Args[1]]
	if !ok {
		usage()
	}
	if err := cmd.run(os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "facts %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: facts COMMAND SYSCALLS-DIRECTORY")
	names := make([]string, 0, len(commands))
	for name := range commands {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(os.Stderr, "  %-10s %s\n", name, commands[name].about)
	}
	os.Exit(2)
}
