package compare

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	// enough is the share below which further runs of strace are asked what is noise, moreReferences how many at most.
	enough         = 0.995
	moreReferences = 6
)

// compareAll traces each command by strace, by the tracer and by strace again, and reports the shares.
func compareAll(t *testing.T, tracer Tracer, commands []Command, check func(t *testing.T, c *Command, r *Report)) tally {
	t.Helper()
	env, err := NewEnvironment(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	var total tally
	var table strings.Builder
	for i := range commands {
		c := &commands[i]
		t.Run(strings.ReplaceAll(c.Name, " ", "-"), func(t *testing.T) {
			if strings.IndexByte(c.Args[0], '@') != 0 {
				if _, err := exec.LookPath(c.Args[0]); err != nil {
					t.Fatalf("%s is needed: .ci/needs installs it", c.Args[0])
				}
			}
			var runs []*Run
			for _, tr := range []Tracer{Strace, tracer, Strace} {
				run, err := env.Run(context.Background(), tr, c)
				if err != nil {
					t.Fatal(err)
				}
				runs = append(runs, run)
			}
			b1, a, b2 := runs[0], runs[1], runs[2]
			if a.Status != b1.Status {
				t.Errorf("%s ended with %q, strace with %q; it said: %s", tracer.Name, a.Status, b1.Status, a.Errors)
			}
			opts := Options{ExactAddresses: a.FixedAddresses && !c.OwnAddresses, Now: time.Now()}
			references := []*Trace{b2.Trace}
			r := Compare(a.Trace, b1.Trace, opts, references...)
			// A race may have more outcomes than two runs of strace show.
			for len(references) < moreReferences && r.Share(true) < enough {
				run, err := env.Run(context.Background(), Strace, c)
				if err != nil {
					t.Fatal(err)
				}
				references = append(references, run.Trace)
				r = Compare(a.Trace, b1.Trace, opts, references...)
			}
			total.add(r)
			fmt.Fprintf(&table, "%-18s %s\n", c.Name, r.Summary())
			if len(r.Broken) > 0 {
				t.Errorf("lines that make no sense: %q", r.Broken)
			}
			check(t, c, r)
		})
	}
	t.Logf("%s beside strace:\n%s%-18s %s", tracer.Name, table.String(), "all", total.String())
	return total
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
	total := compareAll(t, strace, Commands, func(t *testing.T, c *Command, r *Report) {
		if r.Share(true) < enough {
			list(t, r, 40)
		}
		if got := r.Share(true); got < 0.95 {
			t.Errorf("%s: only %.2f%% of the lines agree", c.Name, 100*got)
		}
	})
	if got := share(total.equal, total.total-total.noise); got < enough {
		t.Errorf("only %.2f%% of all lines agree", 100*got)
	}
}

// compareVariable switches TestAgainstStrace on.
const compareVariable = "FARCALL_COMPARE"

// TestAgainstStrace is the measure of farcall's output: at least 98 % of the lines as strace prints them.
func TestAgainstStrace(t *testing.T) {
	if os.Getenv(compareVariable) == "" {
		t.Skip("set " + compareVariable + "=1 to compare farcall with strace")
	}
	const want = 0.98
	program := filepath.Join(t.TempDir(), "farcall")
	build := exec.Command("go", "build", "-o", program, "farcall/cmd/farcall")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build farcall: %v\n%s", err, out)
	}
	total := compareAll(t, Farcall(program), Commands, func(t *testing.T, c *Command, r *Report) {
		if r.Noise < len(r.Differences) {
			list(t, r, 20)
		}
		if got := min(r.Share(true), r.CallShare(true)); got < want {
			t.Errorf("%s: %.2f%% agree, want %.0f%%", c.Name, 100*got, 100*want)
		}
	})
	if got := share(total.equal, total.total-total.noise); got < want {
		t.Errorf("all commands: %.2f%% of the lines agree, want %.0f%%", 100*got, 100*want)
	}
}
