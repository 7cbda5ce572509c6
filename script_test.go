package farcall_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"farcall/internal/cli"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets this test binary be farcall: scripts find it in their PATH under both names that
// the program has. The strace of the machine is $REAL_STRACE to them.
func TestMain(m *testing.M) {
	farcall := func() { os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
	testscript.Main(removing{m}, map[string]func(){
		"farcall": farcall,
		"strace":  farcall,
	})
}

// removing cleans up behind the tests.
type removing struct{ m *testing.M }

// Run implements testscript.TestingM.
func (r removing) Run() int {
	defer removeRegionFixtures()
	return r.m.Run()
}

// realStrace is looked for before the scripts' PATH hides it.
var realStrace, _ = exec.LookPath("strace")

// TestScript runs testdata/script/*.txtar, one file for each behaviour that a user sees.
//
// Conditions beside testscript's own: [root] and [strace], that the machine has one.
func TestScript(t *testing.T) {
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("REAL_STRACE", realStrace)
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, ".cache")) // HOME is not there
			env.Setenv("GOCACHE", strings.TrimSpace(string(cache)))            // go tool pprof is built when it is first used
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Getuid() == 0, nil
			case "strace":
				return realStrace != "", nil
			}
			return false, fmt.Errorf("unknown condition %s", cond)
		},
	})
}
