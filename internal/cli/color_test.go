package cli

import (
	"testing"

	"farcall/internal/cmdline"
)

func TestUseColor(t *testing.T) {
	for _, tt := range []struct {
		mode cmdline.ColorMode
		env  map[string]string
		want bool
	}{
		{cmdline.ColorAuto, nil, false}, // no terminal
		{cmdline.ColorAlways, map[string]string{"NO_COLOR": "1"}, true},
		{cmdline.ColorNever, map[string]string{"CLICOLOR_FORCE": "1"}, false},
		{cmdline.ColorAuto, map[string]string{"CLICOLOR_FORCE": "1"}, true},
		{cmdline.ColorAuto, map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, false},
		{cmdline.ColorAuto, map[string]string{"CLICOLOR_FORCE": "0"}, false},
	} {
		if got := useColor(tt.mode, nil, func(k string) string { return tt.env[k] }); got != tt.want {
			t.Errorf("%v with %v: %v", tt.mode, tt.env, got)
		}
	}
}
