package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestFindProgram looks through several PATHs for a program, beside the machine's strace, which
// shows what it found in the first line of the trace.
func TestFindProgram(t *testing.T) {
	dir := t.TempDir()
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"prog": 0o755, "sub/prog": 0o755, "data/prog": 0o644} {
		file := filepath.Join(real, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, program, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(real, "directory/prog"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(real)

	for _, tt := range []struct{ word, path, want string }{
		{"prog", "/nosuch:sub", "sub/prog"},
		{"prog", "sub/", "sub/prog"},
		{"prog", "data:sub", "sub/prog"},
		{"prog", "directory:.", "./prog"},
		{"prog", ":sub", real + "/prog"},
		{"prog", "data::sub", real + "/prog"},
		{"prog", "data:", ""},
		{"prog", "", ""},
		{"prog", "data", ""},
		{"./prog", "sub", "./prog"},
		{"sub/prog", "", "sub/prog"},
		{"./data/prog", "", "./data/prog"}, // for execve to refuse
		{"./nosuch", "sub", ""},
	} {
		got, err := findProgram(tt.word, tt.path)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s in %q: %q, %v; want %q", tt.word, tt.path, got, err, tt.want)
		}
	}

	needStrace(t)
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`execve\("([^"]*)"`)
	for _, path := range []string{"/nosuch:sub", "sub/", "data:sub", "directory:.", ":sub", "data::sub", "data:", "data"} {
		cmd := exec.CommandContext(t.Context(), strace, "-s999", "prog")
		cmd.Env = []string{"PATH=" + path}
		out, _ := cmd.CombinedOutput()
		theirs := ""
		if m := shown.FindSubmatch(bytes.TrimSpace(out)); m != nil {
			theirs = string(m[1])
		}
		if got, _ := findProgram("prog", path); got != theirs {
			t.Errorf("in %q farcall finds %q, strace %q", path, got, theirs)
		}
	}
}

func TestOpenOutput(t *testing.T) {
	name := filepath.Join(t.TempDir(), "out")
	write := func(text string, appending bool) {
		t.Helper()
		f, err := openOutput(name, appending)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write("long line", false)
	write("one", false)
	write("two", true)
	if got, err := os.ReadFile(name); err != nil || string(got) != "onetwo" {
		t.Errorf("%q, %v", got, err)
	}
	_, err := openOutput(filepath.Dir(name), false)
	if want := "Can't fopen '" + filepath.Dir(name) + "': Is a directory"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
