package cli

import (
	"os"

	"farcall/internal/cmdline"

	"golang.org/x/term"
)

// useColor tells whether output to f is to be coloured. With ColorAuto it is on a terminal,
// unless NO_COLOR is set to anything (no-color.org) or TERM is "dumb"; CLICOLOR_FORCE colours
// it elsewhere too.
func useColor(mode cmdline.ColorMode, f *os.File, getenv func(string) string) bool {
	switch mode {
	case cmdline.ColorAlways:
		return true
	case cmdline.ColorNever:
		return false
	}
	if getenv("NO_COLOR") != "" {
		return false
	}
	if v := getenv("CLICOLOR_FORCE"); v != "" && v != "0" {
		return true
	}
	return f != nil && getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}
