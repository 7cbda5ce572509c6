package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const syscallsDir = "../../../syscalls"

// copyInputs is a directory with the checked-in text files, to generate into.
func copyInputs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink(mustAbs(t, filepath.Join(syscallsDir, "linux")), filepath.Join(dir, "linux")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// The generated files are those that the checked-in texts give.
func TestGeneratedIsCurrent(t *testing.T) {
	for file, generate := range map[string]func(string) error{
		"znumbers.go": generateNumbers,
		"zerrno.go":   generateErrnos,
	} {
		dir := copyInputs(t)
		if err := generate(dir); err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		got, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(syscallsDir, file))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not current: run go generate ./syscalls", file)
		}
	}
}

// Every call of every ABI has a line in classes.txt, and each class is one of strace's.
func TestClassesCoverNumbers(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(syscallsDir, "linux", "classes.txt"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, class := range straceClasses {
		known[class] = true
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if fields[0] == "#" {
			continue
		}
		if seen[fields[0]] {
			t.Errorf("%s stands twice", fields[0])
		}
		seen[fields[0]] = true
		for _, class := range fields[1:] {
			if !known[class] {
				t.Errorf("%s: unknown class %s", fields[0], class)
			}
		}
	}
	for _, src := range abiSources {
		n, err := readNumbers(filepath.Join(syscallsDir, "linux", "numbers-"+src.abi+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		for name := range n {
			if !seen[name] {
				t.Errorf("%s of %s has no classes", name, src.abi)
			}
		}
	}
}

func TestReadNumbersErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"0 read\nwrite 1\n", ":2: want"},
		{"0\n", ":1: want"},
		{"1073741824 read\n", ":1: want"},
		{"0 read\n0 write\n", ":2: 0 is read and write"},
		{"0 read\n1 read\n", ":2: read stands twice"},
	} {
		path := filepath.Join(t.TempDir(), "numbers.txt")
		if err := os.WriteFile(path, []byte(tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readNumbers(path); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("readNumbers(%q): %v; want %q", tt.text, err, tt.want)
		}
	}
}

func TestNumbersAddConflict(t *testing.T) {
	n := numbers{}
	if err := n.add("read", 0, "a"); err != nil {
		t.Fatal(err)
	}
	if err := n.add("read", 0, "b"); err != nil {
		t.Errorf("the same fact again: %v", err)
	}
	if err := n.add("read", 1, "b"); err == nil {
		t.Error("a contradiction was taken")
	}
}

func TestStraceIoctlPattern(t *testing.T) {
	for line, want := range map[string]string{
		"ioctl(-1, TCGETS, 0x1000)               = -1 EBADF (Bad file descriptor)":                         "TCGETS",
		"ioctl(-1, TIOCEXCL)                     = -1 EBADF (Bad file descriptor)":                         "TIOCEXCL",
		"ioctl(-1, SNDCTL_TMR_START or TCSETS, 0x1000) = -1 EBADF (Bad file descriptor)":                   "SNDCTL_TMR_START or TCSETS",
		"ioctl(-1, MIXER_READ(1) or MCE_GET_RECORD_LEN, 0x1000) = -1 EBADF (Bad file descriptor)":          "MIXER_READ(1) or MCE_GET_RECORD_LEN",
		"ioctl(-1, _IOC(_IOC_READ, 0x12, 0x1, 0x10), 0x1000) = -1 EBADF (Bad file descriptor)":             "_IOC(_IOC_READ, 0x12, 0x1, 0x10)",
		"ioctl(-1, EVIOCGNAME(256), 0x1000)      = -1 EBADF (Bad file descriptor)":                         "EVIOCGNAME(256)",
		"ioctl(-1, BLKPG, {op=BLKPG_ADD_PARTITION, flags=0, datalen=0, data=NULL}) = -1 EBADF (Bad file…)": "BLKPG",
	} {
		m := straceIoctl.FindStringSubmatch(line)
		if m == nil || m[1] != want {
			t.Errorf("%s: got %q; want %q", line, m, want)
		}
	}
}
