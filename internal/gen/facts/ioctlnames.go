package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

//go:embed csrc/ioctls.c
var ioctlsSource []byte

var straceIoctl = regexp.MustCompile(`(?m)^ioctl\(-1, ([A-Z_][A-Za-z0-9_]*(?:\([^)]*\))?(?: or [A-Z_][A-Za-z0-9_]*(?:\([^)]*\))?)*|0x[0-9a-f]+)[,)].*$`)

// observeIoctlNames asks strace how it names the commands of ioctls-amd64.txt and writes down
// where that is not what the file alone would tell: all names of the value in their order, with
// " or " between them.
func observeIoctlNames(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "linux", "ioctls-amd64.txt"))
	if err != nil {
		return err
	}
	names := map[uint64][]string{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if fields[0] == "#" {
			continue
		}
		value, err := strconv.ParseUint(fields[1], 0, 64)
		if err != nil {
			return fmt.Errorf("%s: %w", fields[0], err)
		}
		names[value] = append(names[value], fields[0])
	}
	var values []uint64
	for value := range names {
		values = append(values, value)
	}
	slices.Sort(values)
	shown, err := straceIoctls(values)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("# How strace 6.1 on amd64 names ioctl commands, \"value text\" on each line, where that differs from the\n")
	b.WriteString("# names of the value in ioctls-amd64.txt, sorted and joined by \" or \". Commands that it does not know are left out.\n")
	for i, value := range values {
		slices.Sort(names[value])
		if ours := strings.Join(names[value], " or "); shown[i] != ours && !strings.HasPrefix(shown[i], "_IO") && !strings.HasPrefix(shown[i], "0x") {
			fmt.Fprintf(&b, "%#x %s\n", value, shown[i])
		}
	}
	return os.WriteFile(filepath.Join(dir, "linux", "ioctls-strace.txt"), b.Bytes(), 0o644)
}

// straceIoctls is what strace prints for each command.
func straceIoctls(values []uint64) ([]string, error) {
	work, err := os.MkdirTemp("", "ioctls")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	program, log := filepath.Join(work, "ioctls"), filepath.Join(work, "log")
	if err := compileC(program, ioctlsSource); err != nil {
		return nil, err
	}
	var input bytes.Buffer
	for _, value := range values {
		fmt.Fprintf(&input, "%#x\n", value)
	}
	cmd := exec.Command("strace", "-o", log, "-e", "trace=ioctl", program)
	cmd.Stdin = &input
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("strace: %w: %s", err, out)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		return nil, err
	}
	var shown []string
	for _, m := range straceIoctl.FindAllSubmatch(text, -1) {
		shown = append(shown, string(m[1]))
	}
	if len(shown) != len(values) {
		return nil, fmt.Errorf("strace shows %d of %d commands", len(shown), len(values))
	}
	return shown, nil
}
