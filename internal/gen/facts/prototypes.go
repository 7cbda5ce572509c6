package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"farcall/internal/gen/tracefs"
)

// kernelNames are the calls whose function in the kernel bears another name than the call in
// arch/x86/entry/syscalls/syscall_64.tbl.
var kernelNames = map[string]string{
	"newfstat":   "fstat",
	"newlstat":   "lstat",
	"newstat":    "stat",
	"newuname":   "uname",
	"sendfile64": "sendfile",
	"umount":     "umount2",
}

// observePrototypes reads the prototypes of the running kernel out of tracefs, which must be
// mounted and needs root.
func observePrototypes(dir string) error {
	const events = "/sys/kernel/tracing/events/syscalls"
	files, err := filepath.Glob(filepath.Join(events, "sys_enter_*", "format"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("no events in " + events + ": mount tracefs (mount -t tracefs nodev /sys/kernel/tracing)")
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return err
	}
	version := strings.SplitN(string(release), ".", 3)
	if len(version) < 3 {
		return fmt.Errorf("kernel release %q", release)
	}
	var lines []string
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		name, args, err := tracefs.ParseFormat(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if call, ok := kernelNames[name]; ok {
			name = call
		}
		lines = append(lines, tracefs.Format(name, args))
	}
	slices.Sort(lines)
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Prototypes of %d calls as tracefs of Linux %s on %s tells them.\n", len(lines), strings.SplitN(strings.TrimSpace(string(release)), "-", 2)[0], runtime.GOARCH)
	b.WriteString(strings.Join(lines, "\n"))
	b.WriteByte('\n')
	name := fmt.Sprintf("tracefs-%s.%s-%s.txt", version[0], version[1], runtime.GOARCH)
	return os.WriteFile(filepath.Join(dir, "linux", name), b.Bytes(), 0o644)
}
