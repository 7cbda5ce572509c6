package cmdline

import (
	"slices"
	"strings"

	"farcall/filter"
	"farcall/syscalls"

	"github.com/spf13/cobra"
)

// Complete proposes options and their words; a program's name and its arguments are left to
// the shell.
func Complete(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	files := cobra.ShellCompDirectiveDefault
	if key, set, ok := completingCalls(args, word); ok {
		return completeCalls(key, set), cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
	if !strings.HasPrefix(word, "-") || programGiven(args) {
		return nil, files
	}
	if option, value, ok := strings.Cut(word, "="); ok {
		var out []string
		for _, v := range optionWords[strings.TrimPrefix(option, "--")] {
			if strings.HasPrefix(v, value) {
				out = append(out, option+"="+v)
			}
		}
		if out == nil {
			return nil, files
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, o := range table {
		if long := "--" + o.long; o.long != "" && strings.HasPrefix(long, word) {
			out = append(out, long)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// optionWords are the arguments that options choose from.
var optionWords = map[string]names{
	"color":               colorNames,
	"const-print-style":   constNames,
	"cpu":                 cpuNames,
	"daemonize":           daemonNames[1:],
	"decode-fds":          append(slices.Clone(fdNames), "all", "none"),
	"decode-pids":         append(slices.Clone(pidNames), "all", "none"),
	"detach-on":           {"execve"},
	"format":              formatNames,
	"interruptible":       interruptNames[1:],
	"quiet":               append(slices.Clone(quietNames), "all", "none"),
	"relative-timestamps": precisionNames,
	"seccomp-bpf":         {"yes", "no"},
	"seize":               {"yes", "no"},
	"status":              append(slices.Clone(statusNames), "all", "none"),
	"strings-in-hex":      hexNames,
	"summary-columns":     columnNames[1:],
	"summary-sort-by":     columnNames,
	"syscall-times":       precisionNames,
	"absolute-timestamps": append(slices.Clone(timeNames), precisionNames...),
}

// completingCalls tells whether word is, or ends in, a set of system calls: the argument of -e,
// or of a long option that takes one. key is what stands before the set within the word.
func completingCalls(args []string, word string) (key, set string, ok bool) {
	sets := map[string]bool{"trace": true, "abbrev": true, "verbose": true, "raw": true}
	switch {
	case strings.HasPrefix(word, "--"):
		name, value, found := strings.Cut(word[2:], "=")
		if found && sets[name] {
			return word[:len(word)-len(value)], value, true
		}
	case len(args) > 0 && args[len(args)-1] == "-e":
		name, value, found := strings.Cut(word, "=")
		switch {
		case !found:
			return "", word, true
		case sets[qualifierKeys[name]]:
			return word[:len(word)-len(value)], value, true
		}
	}
	return "", "", false
}

func completeCalls(key, set string) []string {
	cut := strings.LastIndexAny(set, ",!?") + 1
	before, prefix := key+set[:cut], set[cut:]
	var out []string
	for _, name := range filter.ClassNames() {
		if strings.HasPrefix(name, prefix) {
			out = append(out, before+name)
		}
	}
	for _, name := range syscalls.AMD64.Names() {
		if strings.HasPrefix(name, prefix) {
			out = append(out, before+name)
		}
	}
	return out
}

// programGiven tells whether the options before the cursor are over.
func programGiven(args []string) bool {
	g := getopt{table: table, args: args}
	for {
		_, more, err := g.next()
		if err != nil {
			return false
		}
		if !more {
			return len(g.rest()) > 0 || slices.Contains(args, "--")
		}
	}
}
