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

// share is the part of equal lines among those that are no noise.
func (s *tally) share() float64 { return share(s.equal, s.total-s.noise) }

func (s *tally) String() string {
	return fmt.Sprintf("%6d lines  calls %6.2f%% (%6.2f%% without noise)  text %6.2f%% (%6.2f%% without noise)",
		s.total, 100*share(s.matched, s.total), 100*share(s.matched-s.noiseMatched, s.total-s.noise),
		100*share(s.equal, s.total), 100*s.share())
}

const (
	want = 0.98 // share of the lines that have to agree, of each command and of all together
	// wantFirst is the share that has to agree in the first runs of all commands together, which nobody picks: a fault that comes
	// and goes is in there as much as it is in any.
	wantFirst = 0.97
	// A series is a run of strace with which the others are compared, and pairs of a run of the tracer and one of strace. Where
	// one pair settles it, it is the only one. Series begin anew, as the first run may have been a rare one.
	pairs  = 5
	series = 3
)

// outcome is what was found of a command.
type outcome struct {
	*Report              // the one of the last series that agrees best
	first   *Report      // the first one that was made, picked by nobody
	lasting []Difference // what all runs of the tracer have in common
	runs    int          // of the tracer
}

func (o *outcome) agreement() float64 { return min(o.Share(true), o.CallShare(true)) }

// settled reports that nothing is left to be found out: enough lines agree, and each difference is chance.
func (o *outcome) settled() bool { return len(o.lasting) == 0 && o.agreement() >= want }

func outcomeOf(s *Series) *outcome {
	o := &outcome{lasting: s.Lasting(), first: s.Reports()[0], runs: len(s.Reports())}
	o.Report = o.first
	for _, r := range s.Reports() {
		if r.Share(true) > o.Share(true) {
			o.Report = r
		}
	}
	return o
}

// compareAll traces each command by strace and by the tracer, reports the shares and fails the test where they are too
// small. Those of a command are the best ones: chance may hide that two tracers agree, but does not make them agree.
func compareAll(t *testing.T, tracer Tracer, commands []Command) {
	t.Helper()
	env, err := NewEnvironment(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	var total, first tally
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
			o := measure(t, env, tracer, c)
			total.add(o.Report)
			first.add(o.first)
			kinds.add(o.first)
			fmt.Fprintf(&table, "%-18s %s, runs %d\n", c.Name, o.Summary(), o.runs)
			if len(o.Broken) > 0 {
				t.Errorf("lines that make no sense: %q", o.Broken)
			}
			if o.Noise < len(o.Differences) {
				list(t, o.Report, 20)
			}
			if got := o.agreement(); got < want {
				t.Errorf("%s: %.2f%% agree, want %.0f%%", c.Name, 100*got, 100*want)
			}
			for _, d := range o.lasting {
				t.Errorf("%s: %s in each of %d runs:\n  A: %s\n  B: %s", c.Name, d.Change, o.runs, d.A, d.B)
			}
		})
	}
	t.Logf("%s beside strace:\n%s%-18s %s\n%-18s %s", tracer.Name, table.String(), "all", total.String(), "first runs", first.String())
	for _, sum := range []struct {
		name       string
		got, least float64
	}{{"lines", total.share(), want}, {"lines of first runs", first.share(), wantFirst}} {
		if sum.got < sum.least {
			t.Errorf("all commands: %.2f%% of the %s agree, want %.0f%%", 100*sum.got, sum.name, 100*sum.least)
		}
	}
	if text := kinds.String(); text != "" {
		t.Logf("differences beyond noise in first runs by call, with an example of each:\n%s", text)
	}
}

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

// measure traces a command by strace, by the tracer and by strace again, as often as it takes. It fails the test if the
// tracers end differently.
func measure(t *testing.T, env *Environment, tracer Tracer, c *Command) *outcome {
	t.Helper()
	run := func(tr Tracer) *Run {
		r, err := env.Run(t.Context(), tr, c)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	var references []*Trace // of all series
	var o *outcome
	var first *Report
	for range series {
		b := run(Strace)
		s := NewSeries(b.Trace, Options{ExactAddresses: b.FixedAddresses && !c.OwnAddresses, Now: time.Now()})
		for _, r := range references {
			s.Reference(r)
		}
		references = append(references, b.Trace)
		for range pairs {
			a, r := run(tracer), run(Strace)
			if a.Status != b.Status {
				t.Errorf("%s ended with %q, strace with %q; it said: %s", tracer.Name, a.Status, b.Status, a.Errors)
			}
			s.Add(a.Trace)
			s.Reference(r.Trace)
			references = append(references, r.Trace)
			if o = outcomeOf(s); o.settled() {
				break
			}
		}
		if first == nil {
			first = o.first
		}
		if o.settled() {
			break
		}
	}
	o.first = first
	return o
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
	compareAll(t, strace, Commands)
}

// TestAgainstStrace is the measure of farcall's output: at least 98 % of the lines as strace prints them, and no difference
// that is there in each run.
func TestAgainstStrace(t *testing.T) {
	program := filepath.Join(t.TempDir(), "farcall")
	build := exec.Command("go", "build", "-o", program, "farcall/cmd/farcall")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build farcall: %v\n%s", err, out)
	}
	compareAll(t, Farcall(program), Commands)
}
