package engine

import (
	"sync"

	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
)

// The Go runtime puts handlers of its own over dispositions that the process was started with, so SIG_IGN is lost for all signals but
// SIGHUP, SIGINT and these, which it leaves alone until os/signal is asked for them.
var leftAlone = [...]unix.Signal{unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGCONT}

const sigIgn = 1 // SIG_IGN

var ignoredAtInit = func() (set ptrace.Sigset) {
	var act sigaction
	for _, s := range leftAlone {
		if rtSigaction(s, nil, &act) == nil && act.handler == sigIgn {
			set = set.With(s)
		}
	}
	return set
}()

// OriginallyIgnored is the set of signals that were ignored when this process was started, which a launched program has to
// find ignored too.
var OriginallyIgnored = sync.OnceValue(func() ptrace.Sigset {
	set := ignoredAtInit
	saved, ok := runtimeSavedActions()
	for s := unix.Signal(1); s <= 64; s++ {
		if ok && saved[s] == sigIgn {
			set = set.With(s)
		}
		var act sigaction
		if !ok && rtSigaction(s, nil, &act) == nil && act.handler == sigIgn {
			set = set.With(s)
		}
	}
	return set
})
