package cmdline

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readOptions reads all options and renders each as name, or name=argument.
func readOptions(args []string) (options, rest []string, err error) {
	g := getopt{table: table, args: args}
	for {
		opt, more, err := g.next()
		if err != nil {
			return options, nil, err
		}
		if !more {
			return options, g.rest(), nil
		}
		s := opt.name
		if opt.hasArg {
			s += "=" + opt.arg
		}
		options = append(options, s)
	}
}

func TestGetopt(t *testing.T) {
	for _, tt := range []struct {
		args    string // separated by spaces
		options string
		rest    string
		err     string
	}{
		{args: "ls -l", rest: "ls -l"},
		{args: "-f ls -f", options: "-f", rest: "ls -f"},
		{args: "-fo file ls", options: "-f -o=file", rest: "ls"},
		{args: "-fofile ls", options: "-f -o=file", rest: "ls"},
		{args: "-ttT -yy -- -x", options: "-t -t -T -y -y", rest: "-x"},
		{args: "-o -- ls", options: "-o=--", rest: "ls"},
		{args: "-o -f ls", options: "-o=-f", rest: "ls"},
		{args: "-e trace=open -etrace=open", options: "-e=trace=open -e=trace=open"},
		{args: "-", rest: "-"},
		{args: "--", rest: ""},
		{args: "-- -- x", rest: "-- x"},
		{args: "--output=a=b ls", options: "--output=a=b", rest: "ls"},
		{args: "--output a ls", options: "--output=a", rest: "ls"},
		{args: "--output= ls", options: "--output=", rest: "ls"},
		{args: "--quiet all", options: "--quiet", rest: "all"},
		{args: "--quiet=all ls", options: "--quiet=all", rest: "ls"},
		{args: "--sil=all ls", options: "--silent=all", rest: "ls"},
		{args: "--follow ls", options: "--follow-forks", rest: "ls"},
		{args: "--summary ls", options: "--summary", rest: "ls"},
		{args: "--summary-o ls", options: "--summary-only", rest: "ls"},
		{args: "--col=3 ls", options: "--columns=3", rest: "ls"}, // not --color
		{args: "--colo ls", options: "--color", rest: "ls"},
		{args: "--kv=vcpu ls", options: "--kvm=vcpu", rest: "ls"},
		{args: "--k=vcpu ls", options: "--kvm=vcpu", rest: "ls"}, // not --kill-on-exit
		{args: "-rs5 -T ls", options: "-r -s=5 -T", rest: "ls"},
		{args: "-fQ ls", options: "-f", err: "invalid option -- 'Q'"},
		{args: "-f- ls", options: "-f", err: "invalid option -- '-'"},
		{args: "-o", err: "option requires an argument -- 'o'"},
		{args: "--output", err: "option '--output' requires an argument"},
		{args: "--outp", err: "option '--outp' is ambiguous; possibilities: '--output-append-mode' '--output-separately' '--output'"},
		{args: "--summary=3", err: "option '--summary' doesn't allow an argument"},
		{args: "--bogus=3", err: "unrecognized option '--bogus=3'"},
		{args: "--=3", err: "option '--=3' is ambiguous"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			options, rest, err := readOptions(strings.Fields(tt.args))
			message := ""
			if err != nil {
				message = err.Error()
			}
			if tt.args == "--=3" {
				message, _, _ = strings.Cut(message, ";")
			}
			if message != tt.err {
				t.Errorf("error %q, want %q", message, tt.err)
			}
			if got := strings.Join(options, " "); got != tt.options {
				t.Errorf("options %q, want %q", got, tt.options)
			}
			if got := strings.Join(rest, " "); got != tt.rest {
				t.Errorf("rest %q, want %q", got, tt.rest)
			}
		})
	}
}

// TestOptionTable finds entries that could never be reached or would do nothing.
func TestOptionTable(t *testing.T) {
	short, long := map[byte]bool{}, map[string]bool{}
	for _, o := range table {
		if o.short == 0 && o.long == "" {
			t.Errorf("option %d has no name", o.id)
		}
		if o.short != 0 && short[o.short] {
			t.Errorf("-%c is there twice", o.short)
		}
		if o.long != "" && long[o.long] {
			t.Errorf("--%s is there twice", o.long)
		}
		short[o.short], long[o.long] = true, true
		if int(o.id) >= len(optionActions) || optionActions[o.id] == nil {
			t.Errorf("-%c/--%s does nothing", o.short, o.long)
		}
	}
}

// TestHelpNamesEveryOption keeps the help complete.
func TestHelpNamesEveryOption(t *testing.T) {
	var b strings.Builder
	PrintHelp(&b, "farcall trace")
	words := strings.FieldsFunc(b.String(), func(r rune) bool { return strings.ContainsRune(" \n,=[;:|.()", r) })
	for _, o := range table {
		if o.short != 0 && !slices.Contains(words, "-"+string(rune(o.short))) {
			t.Errorf("the help does not name -%c", o.short)
		}
		// The two British spellings are there for habit's sake only.
		if o.long != "" && o.long != "daemonised" && o.long != "daemonized" && !slices.Contains(words, "--"+o.long) {
			t.Errorf("the help does not name --%s", o.long)
		}
	}
	for line := range strings.Lines(b.String()) {
		if n := len(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("line of %d characters: %s", n, line)
		}
	}
}

// FuzzGetopt: whatever the arguments, reading them ends, the command is what stood at their end,
// and the options read again in their full form mean the same.
func FuzzGetopt(f *testing.F) {
	for _, s := range []string{
		"ls -l", "-fo file ls", "-ttT", "--summary-o -- x", "--quiet=all -", "-e\ntrace=open", "--s",
		"-o", "--out=x", "-fQ", "--=", "---", "-\x00", "-\xff", "--col=3",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		options, rest, err := readOptions(slices.Clone(args))
		if err != nil {
			if strings.Contains(err.Error(), "\n") && !strings.Contains(line, "\n") {
				t.Fatalf("error of several lines: %q", err)
			}
			return
		}
		if len(rest) > len(args) || !slices.Equal(rest, args[len(args)-len(rest):]) {
			t.Fatalf("%q leaves %q", args, rest)
		}
		var full []string
		for _, o := range options {
			if strings.HasPrefix(o, "--") {
				full = append(full, o)
				continue
			}
			name, arg, has := strings.Cut(o, "=")
			full = append(full, name)
			if has {
				full = append(full, arg)
			}
		}
		again, restAgain, err := readOptions(append(append(full, "--"), rest...))
		if err != nil {
			t.Fatalf("%q, in full %q: %v", args, full, err)
		}
		if diff := cmp.Diff(options, again); diff != "" {
			t.Fatalf("%q, in full %q: %s", args, full, diff)
		}
		if !slices.Equal(rest, restAgain) {
			t.Fatalf("%q leaves %q, in full %q", args, rest, restAgain)
		}
	})
}
