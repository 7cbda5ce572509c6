package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

//go:embed csrc/every.c
var everySource []byte

// straceClasses are the classes of strace(1), -e trace=. One leading % is left out, so that
// the union classes %%stat and %%statfs keep one.
var straceClasses = []string{
	"file", "desc", "memory", "process", "signal", "ipc", "network", "creds", "clock", "pure",
	"stat", "lstat", "fstat", "%stat", "statfs", "fstatfs", "%statfs",
}

// newerClasses classifies, by analogy with their neighbours, the calls that strace 6.1 does
// not know yet: whatever takes a path is in file, whatever takes or returns a descriptor in desc.
var newerClasses = map[string]string{
	"cachestat":         "desc",
	"fchmodat2":         "file desc",
	"file_getattr":      "file desc",
	"file_setattr":      "file desc",
	"futex_requeue":     "",
	"futex_wait":        "",
	"futex_wake":        "",
	"getxattrat":        "file desc",
	"listmount":         "",
	"listns":            "",
	"listxattrat":       "file desc",
	"lsm_get_self_attr": "",
	"lsm_list_modules":  "",
	"lsm_set_self_attr": "",
	"map_shadow_stack":  "memory",
	"mseal":             "memory",
	"open_tree_attr":    "file desc",
	"removexattrat":     "file desc",
	"rseq_slice_yield":  "",
	"setxattrat":        "file desc",
	"statmount":         "",
	"uprobe":            "",
	"uretprobe":         "",
}

var straceCall = regexp.MustCompile(`(?m)^\[ *\d+\] ([a-z0-9_]+)\(`)

// observeClasses asks the strace of this machine, class by class, which calls it prints.
func observeClasses(dir string) error {
	work, err := os.MkdirTemp("", "every")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	every := filepath.Join(work, "every")
	if err := compileC(every, everySource); err != nil {
		return err
	}
	classes := map[string][]string{}
	for _, abi := range []string{"amd64", "i386", "x32"} {
		known, err := straceNames(every, abi, "all")
		if err != nil {
			return err
		}
		for name := range known {
			if _, ok := classes[name]; !ok {
				classes[name] = nil
			}
		}
		for _, class := range straceClasses {
			names, err := straceNames(every, abi, "%"+class)
			if err != nil {
				return err
			}
			for name := range names {
				if !slices.Contains(classes[name], class) {
					classes[name] = append(classes[name], class)
				}
			}
		}
	}
	version, err := exec.Command("strace", "-V").Output()
	if err != nil {
		return fmt.Errorf("strace -V: %w", err)
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(string(version), "strace -- version "), "\n")
	var b bytes.Buffer
	b.WriteString("# Classes of the calls, \"name class class...\" on each line; one leading % is left out.\n")
	fmt.Fprintf(&b, "# As strace %s selects them for amd64, i386 and x32; observed on %s.\n", first, time.Now().UTC().Format(time.DateOnly))
	writeClasses(&b, classes)
	newer, err := newerThan(dir, classes)
	if err != nil {
		return err
	}
	b.WriteString("# Calls that it does not know, by analogy.\n")
	writeClasses(&b, newer)
	return os.WriteFile(filepath.Join(dir, "linux", "classes.txt"), b.Bytes(), 0o644)
}

// straceNames is the set of calls that strace -e trace=set prints for every.c.
func straceNames(every, abi, set string) (map[string]bool, error) {
	log := every + ".log"
	if err := os.Remove(log); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	cmd := exec.Command("strace", "-n", "-o", log, "-e", "trace="+set, every, abi, "600")
	if out, err := cmd.CombinedOutput(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 42 {
		return nil, fmt.Errorf("strace -e trace=%s every %s: %w: %s", set, abi, err, out)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, m := range straceCall.FindAllSubmatch(text, -1) {
		name := string(m[1])
		if strings.HasPrefix(name, "syscall_0x") {
			continue // a number without a name
		}
		names[name] = true
	}
	return names, nil
}

// newerThan is the part of the numbers files that strace does not know; each call of it must
// stand in newerClasses.
func newerThan(dir string, known map[string][]string) (map[string][]string, error) {
	newer := map[string][]string{}
	for _, src := range abiSources {
		n, err := readNumbers(filepath.Join(dir, "linux", "numbers-"+src.abi+".txt"))
		if err != nil {
			return nil, err
		}
		for name := range n {
			if _, ok := known[name]; ok {
				continue
			}
			list, ok := newerClasses[name]
			if !ok {
				return nil, fmt.Errorf("%s of %s has no classes: extend newerClasses", name, src.abi)
			}
			newer[name] = strings.Fields(list)
		}
	}
	return newer, nil
}

func writeClasses(b *bytes.Buffer, classes map[string][]string) {
	names := make([]string, 0, len(classes))
	for name := range classes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b.WriteString(strings.Join(append([]string{name}, classes[name]...), " "))
		b.WriteByte('\n')
	}
}
