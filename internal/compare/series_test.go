package compare

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// fault is one that a tracer could have: what it makes of the lines of a true trace.
type fault struct {
	name  string
	lines *regexp.Regexp // those it concerns
	nth   int            // the only whole one of them, from 1; 0: all, those in halves too
	make  func(line string) []string
}

func lose(string) []string       { return nil }
func twice(line string) []string { return []string{line, line} }

func replace(from, to string) func(string) []string {
	return func(line string) []string { return []string{strings.Replace(line, from, to, 1)} }
}

func (f *fault) inflict(text string) (damaged string, done bool) {
	var out []string
	n := 0
	begun := map[string]bool{} // by pid: the first half of a line was concerned
	for line := range strings.Lines(text) {
		pid := linePID.FindString(line)
		concerned := f.lines.MatchString(line)
		first, second := strings.Contains(line, "<unfinished ...>"), strings.Contains(line, " resumed>")
		switch {
		case first:
			concerned = concerned && f.nth == 0
			begun[pid] = concerned
		case second:
			concerned = begun[pid]
			delete(begun, pid)
		case concerned:
			n++
			concerned = f.nth == 0 || f.nth == n
		}
		if !concerned {
			out = append(out, line)
			continue
		}
		more := f.make(line)
		done = done || !slices.Equal(more, []string{line})
		out = append(out, more...)
	}
	return strings.Join(out, ""), done
}

var faults = []fault{
	{"one call lost", regexp.MustCompile(` (?:openat|rt_sigaction)\(`), 1, lose},
	{"one call twice", regexp.MustCompile(` (?:execve|rt_sigaction)\(`), 1, twice},
	{"one flag lost", regexp.MustCompile(` mmap\(.*MAP_PRIVATE\|`), 1, replace("MAP_PRIVATE|", "")},
	{"one result wrong", regexp.MustCompile(` (?:brk|arch_prctl|rt_sigprocmask)\(.*= 0`), 1, replace("= 0", "= 4")},
	{"one exit lost", regexp.MustCompile(` \+\+\+ exited with`), 1, lose},
	{"wrong names of wakers", regexp.MustCompile(` futex\(`), 0, replace("_WAKE_", "_WAKEN_")},
	{"wakers lost", regexp.MustCompile(` futex\(.*_WAKE`), 0, lose},
	{"wakers twice", regexp.MustCompile(` futex\(.*_WAKE.* = `), 0, twice},
	{"wrong results of waiters", regexp.MustCompile(` futex\(.*_WAIT.*= 0`), 0, replace("= 0", "= 0x0")},
	{"signals lost", regexp.MustCompile(` --- SIG`), 0, lose},
	{"wrong code of signals", regexp.MustCompile(` --- SIG.*CLD_EXITED`), 0, replace("CLD_EXITED", "CLD_KILLED")},
	{"one yield lost", regexp.MustCompile(` sched_yield\(`), 7, lose},
	{"one wait twice", regexp.MustCompile(` futex\(.*_WAIT`), 7, twice},
}

// TestFaultsAreFound inflicts faults on every trace of programs that scheduling makes different each time, and of one for
// which it does not. Chance must not excuse any, except that the number of waits and wake-ups of a program with scheduling of its
// own (Go's) is known about only; "scheduling calls" is there for that.
func TestFaultsAreFound(t *testing.T) {
	env, err := NewEnvironment(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	excused := map[string]bool{
		"go, wakers twice": true, "go, one wait twice": true, "go, one yield lost": true,
	}
	for _, name := range []string{"go", "scheduling calls", "xargs", "bash script", "pthreads"}[:faultyCommands] {
		c := &Commands[slices.IndexFunc(Commands, func(c Command) bool { return c.Name == name })]
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			var opts Options
			trace := func() string {
				r, err := env.Run(t.Context(), Strace, c)
				if err != nil {
					t.Fatal(err)
				}
				opts = Options{ExactAddresses: r.FixedAddresses && !c.OwnAddresses, Now: time.Now()}
				text, err := os.ReadFile(filepath.Join(env.dir, "out", Strace.Name+".trace"))
				if err != nil {
					t.Fatal(err)
				}
				return string(text)
			}
			parse := func(text string) *Trace {
				p, err := Parse(strings.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			// Without a fault, all has to be chance: only then does what is found below come from the faults.
			var texts []string
			var references []*Trace
			var s *Series
			judge := func(f *fault) (o *outcome, done bool) {
				s.reports = nil // of the fault before
				done = true
				for _, text := range texts {
					damaged, inflicted := f.inflict(text)
					done = done && inflicted // a run in which nobody waits shows nothing of waits
					s.Add(parse(damaged))
				}
				return outcomeOf(s), done
			}
			settled := false
			for i := 0; !settled && i < series*pairs; i++ {
				if i%pairs == 0 {
					base := parse(trace())
					s, texts = NewSeries(base, opts), nil
					for _, r := range references {
						s.Reference(r)
					}
					references = append(references, base)
				}
				texts = append(texts, trace())
				references = append(references, parse(trace()))
				s.Reference(references[len(references)-1])
				o, _ := judge(&fault{lines: regexp.MustCompile(`$^`)})
				settled = o.settled() && len(texts) > 1
			}
			if !settled {
				t.Fatal("strace does not agree with itself")
			}
			tried := 0
			for i := range faults {
				f := &faults[i]
				o, done := judge(f)
				if !done || excused[name+", "+f.name] {
					continue
				}
				tried++
				if o.settled() {
					t.Errorf("%s: not found; %s", f.name, o.Summary())
				}
			}
			if tried < 5 {
				t.Errorf("only %d faults could be tried", tried)
			}
			t.Logf("%d faults in %d runs each", tried, len(texts))
		})
	}
}

// TestWaitsThatComeTooLate: a wait that ends at once is one that the scheduler let come later, in each run of one of the
// tracers if it likes; with another word or error it is not.
func TestWaitsThatComeTooLate(t *testing.T) {
	trace := func(wait string) *Trace {
		text := "4711  execve(\"/bin/a\", [\"a\"], 0x7ffc00000000 /* 1 var */) = 0\n" + wait + "4711  exit_group(0) = ?\n4711  +++ exited with 0 +++\n"
		p, err := Parse(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	const waited = "4711  futex(0x7f0000001000, FUTEX_WAIT_BITSET, 9, NULL, FUTEX_BITSET_MATCH_ANY) = 0\n"
	const late = "4711  futex(0x7f0000001000, FUTEX_WAIT_BITSET, 9, NULL, FUTEX_BITSET_MATCH_ANY) = -1 EAGAIN (Resource temporarily unavailable)\n"
	for _, row := range []struct {
		name, a, b string
		noise      bool
	}{
		{"late", late, waited, true},
		{"in time", waited, late, true},
		{"another error", strings.Replace(late, "EAGAIN", "EINTR", 1), waited, false},
		{"another word", strings.Replace(late, ", 9,", ", 8,", 1), waited, false},
		{"a wake-up", strings.Replace(late, "_WAIT_", "_WAKE_", 1), strings.Replace(waited, "_WAIT_", "_WAKE_", 1), false},
	} {
		s := NewSeries(trace(row.b), Options{ExactAddresses: true})
		s.Add(trace(row.a))
		s.Add(trace(row.a))
		r := s.Reports()[0]
		if len(r.Differences) != 1 || r.Differences[0].Noise != row.noise || (len(s.Lasting()) == 0) != row.noise {
			t.Errorf("%s: %+v, lasting %v", row.name, r.Differences, s.Lasting())
		}
	}
}
