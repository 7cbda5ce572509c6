package compare

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// tally adds up reports.
type tally struct{ equal, matched, total, noise, noiseMatched int }

func (s *tally) add(r *Report) {
	s.equal += r.Equal
	s.matched += r.Matched
	s.total += r.Total()
	s.noise += r.Noise
	for i := range r.Differences {
		if d := &r.Differences[i]; d.Noise && d.Change == Changed {
			s.noiseMatched++
		}
	}
}

func (s *tally) String() string {
	return fmt.Sprintf("%6d lines  calls %6.2f%% (%6.2f%% without noise)  text %6.2f%% (%6.2f%% without noise)",
		s.total, 100*share(s.matched, s.total), 100*share(s.matched-s.noiseMatched, s.total-s.noise),
		100*share(s.equal, s.total), 100*share(s.equal, s.total-s.noise))
}

const (
	// enough is the share below which further runs of strace are asked what is noise, and below which all is done again.
	enough         = 0.99
	moreReferences = 5 // runs of strace that are compared with the first, at most
	attempts       = 3 // times a command is compared to get there, at most; the best one counts
	// lastAttempts is how often a command is compared that is still below what its test wants. Of a program whose threads
	// race, one run of strace in eight is that far from the other runs of strace, the more so on a busy machine; what
	// the tracer does wrong is there in each of these attempts.
	lastAttempts = 10
)

// compareAll traces each command by strace, by the tracer and by strace again, and reports the shares. It fails for a command
// of whose lines, or calls, a smaller share than want agrees.
func compareAll(t *testing.T, tracer Tracer, commands []Command, want float64, check func(t *testing.T, r *Report)) tally {
	t.Helper()
	env, err := NewEnvironment(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	var total tally
	kinds := census{}
	var table strings.Builder
	for i := range commands {
		c := &commands[i]
		t.Run(strings.ReplaceAll(c.Name, " ", "-"), func(t *testing.T) {
			if strings.IndexByte(c.Args[0], '@') != 0 {
				if _, err := exec.LookPath(c.Args[0]); err != nil {
					t.Fatalf("%s is needed: .ci/needs installs it", c.Args[0])
				}
			}
			r := measure(t, env, tracer, c)
			// A real difference is there each time; a rare race is not.
			for attempt := 1; attempt < attempts && agreement(r) < enough || attempt < lastAttempts && agreement(r) < want; attempt++ {
				if again := measure(t, env, tracer, c); agreement(again) > agreement(r) {
					r = again
				}
			}
			total.add(r)
			kinds.add(r)
			fmt.Fprintf(&table, "%-18s %s\n", c.Name, r.Summary())
			if len(r.Broken) > 0 {
				t.Errorf("lines that make no sense: %q", r.Broken)
			}
			check(t, r)
			if got := agreement(r); got < want {
				t.Errorf("%s: %.2f%% agree, want %.0f%%", c.Name, 100*got, 100*want)
			}
		})
	}
	t.Logf("%s beside strace:\n%s%-18s %s", tracer.Name, table.String(), "all", total.String())
	if text := kinds.String(); text != "" {
		t.Logf("differences beyond noise by call, with an example of each:\n%s", text)
	}
	return total
}

// agreement is the share, without noise, that is the smaller: that of equal lines or that of calls with a partner.
func agreement(r *Report) float64 { return min(r.Share(true), r.CallShare(true)) }

// census counts differences by call and change, and keeps an example of each.
type census map[string]*kindCount

type kindCount struct {
	kind    string
	count   int
	example Difference
}

func (c census) add(r *Report) {
	for _, d := range r.Differences {
		if d.Noise {
			continue
		}
		kind := d.Name + " " + d.Change.String()
		if c[kind] == nil {
			c[kind] = &kindCount{kind: kind, example: d}
		}
		c[kind].count++
	}
}

func (c census) String() string {
	var b strings.Builder
	for _, k := range slices.SortedFunc(maps.Values(c), func(x, y *kindCount) int {
		return cmp.Or(cmp.Compare(y.count, x.count), cmp.Compare(x.kind, y.kind))
	}) {
		fmt.Fprintf(&b, "%6d %s\n", k.count, k.kind)
		for _, side := range []struct{ name, text string }{{"A", k.example.A}, {"B", k.example.B}} {
			if side.text != "" {
				fmt.Fprintf(&b, "       %s: %s\n", side.name, side.text)
			}
		}
	}
	return b.String()
}

// measure traces a command by strace, by the tracer and by strace again, and compares. It fails the test if the tracers
// end differently.
func measure(t *testing.T, env *Environment, tracer Tracer, c *Command) *Report {
	t.Helper()
	run := func(tr Tracer) *Run {
		r, err := env.Run(t.Context(), tr, c)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	b, a := run(Strace), run(tracer)
	if a.Status != b.Status {
		t.Errorf("%s ended with %q, strace with %q; it said: %s", tracer.Name, a.Status, b.Status, a.Errors)
	}
	opts := Options{ExactAddresses: a.FixedAddresses && !c.OwnAddresses, Now: time.Now()}
	references := []*Trace{run(Strace).Trace}
	r := Compare(a.Trace, b.Trace, opts, references...)
	// A race may have more outcomes than two runs of strace show.
	for len(references) < moreReferences && r.Share(true) < enough {
		references = append(references, run(Strace).Trace)
		r = Compare(a.Trace, b.Trace, opts, references...)
	}
	return r
}

// list logs the differences beyond noise.
func list(t *testing.T, r *Report, limit int) {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b, limit); err != nil {
		t.Fatal(err)
	}
	t.Log(b.String())
}

// TestStraceAgreesWithItself shows that the normaliser takes out what two runs of one program cannot have in common: what
// it finds between two traces by strace is no difference of the tracer.
func TestStraceAgreesWithItself(t *testing.T) {
	strace := Strace
	strace.Name = "strace-again"
	total := compareAll(t, strace, Commands, 0.95, func(t *testing.T, r *Report) {
		if r.Share(true) < enough {
			list(t, r, 40)
		}
	})
	if got := share(total.equal, total.total-total.noise); got < 0.995 {
		t.Errorf("only %.2f%% of all lines agree", 100*got)
	}
}

// TestAgainstStrace is the measure of farcall's output: at least 98 % of the lines as strace prints them.
func TestAgainstStrace(t *testing.T) {
	const want = 0.98
	program := filepath.Join(t.TempDir(), "farcall")
	build := exec.Command("go", "build", "-o", program, "farcall/cmd/farcall")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build farcall: %v\n%s", err, out)
	}
	total := compareAll(t, Farcall(program), Commands, want, func(t *testing.T, r *Report) {
		if r.Noise < len(r.Differences) {
			list(t, r, 20)
		}
	})
	if got := share(total.equal, total.total-total.noise); got < want {
		t.Errorf("all commands: %.2f%% of the lines agree, want %.0f%%", 100*got, 100*want)
	}
}
