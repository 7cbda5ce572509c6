package syscalls

import (
	"strings"
	"testing"
)

func TestErrno(t *testing.T) {
	for _, tt := range []struct {
		n          int
		name, text string
	}{
		{-1, "", ""},
		{0, "", ""},
		{1, "EPERM", "Operation not permitted"},
		{2, "ENOENT", "No such file or directory"},
		{11, "EAGAIN", "Resource temporarily unavailable"},
		{35, "EDEADLK", "Resource deadlock avoided"},
		{41, "", ""},
		{95, "EOPNOTSUPP", "Operation not supported"},
		{133, "EHWPOISON", "Memory page has hardware error"},
		{134, "", ""},
		{511, "", ""},
		{512, "ERESTARTSYS", "To be restarted if SA_RESTART is set"},
		{513, "ERESTARTNOINTR", "To be restarted"},
		{514, "ERESTARTNOHAND", "To be restarted if no handler"},
		{515, "ENOIOCTLCMD", "Unknown error 515"},
		{516, "ERESTART_RESTARTBLOCK", "Interrupted by signal"},
		{524, "ENOTSUPP", "Unknown error 524"},
		{530, "ERECALLCONFLICT", "Unknown error 530"},
		{531, "", ""},
		{1 << 40, "", ""},
	} {
		if got := ErrnoName(tt.n); got != tt.name {
			t.Errorf("ErrnoName(%d) = %q; want %q", tt.n, got, tt.name)
		}
		if got := ErrnoText(tt.n); got != tt.text {
			t.Errorf("ErrnoText(%d) = %q; want %q", tt.n, got, tt.text)
		}
	}
}

func TestErrnoNumber(t *testing.T) {
	count := 0
	for n := range 4096 {
		name := ErrnoName(n)
		if name == "" {
			continue
		}
		count++
		if got, ok := ErrnoNumber(name); !ok || got != n {
			t.Errorf("ErrnoNumber(%q) = %d, %v; want %d", name, got, ok, n)
		}
		if got, ok := ErrnoNumber(strings.ToLower(name)); !ok || got != n {
			t.Errorf("ErrnoNumber(lower %q) = %d, %v; want %d", name, got, ok, n)
		}
	}
	if count != 131+17 { // 1 to 133 but 41 and 58; 512 to 530 but 519 and 520
		t.Errorf("%d errors; want %d", count, 131+17)
	}
	for name, want := range map[string]int{"EWOULDBLOCK": 11, "ENOTSUP": 95, "EDEADLOCK": 35, "": 0, "E": 0} {
		if got, ok := ErrnoNumber(name); got != want || ok != (want != 0) {
			t.Errorf("ErrnoNumber(%q) = %d, %v; want %d", name, got, ok, want)
		}
	}
}
