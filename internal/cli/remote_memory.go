package cli

import (
	"os"
	"runtime/debug"
)

// collectLess has garbage collected less often: what proxy and serve keep is little, and what passes through them large, so that a collection would be due
// with every few requests. It costs some 30 MiB. GOGC of the environment counts more.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(800)
	}
}
