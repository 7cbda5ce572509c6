package main

import (
	"bufio"
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

//go:embed csrc/errno.c
var errnoSource []byte

// restartErrnos is the first errno that include/linux/errno.h keeps inside the kernel; a tracer
// sees it, a program does not.
const restartErrnos = 512

var straceErrno = regexp.MustCompile(`(?m)^getuid\(\) += (?:-1|\?) (E\w+) \((.+)\)$`)

// observeErrnos asks strace for the name and the text of every errno, through a call that a
// seccomp filter fails with each of them in turn.
func observeErrnos(dir string) error {
	work, err := os.MkdirTemp("", "errno")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	program, log := filepath.Join(work, "errno"), filepath.Join(work, "log")
	if err := compileC(program, errnoSource); err != nil {
		return err
	}
	if out, err := exec.Command("strace", "-o", log, "-e", "trace=getuid", program).CombinedOutput(); err != nil {
		return fmt.Errorf("strace: %w: %s", err, out)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("# Errors, \"number name text\" on each line: names as strace 6.1 prints them, texts of glibc's\n")
	b.WriteString("# strerror(3). From 512 up they are the kernel's own (include/linux/errno.h).\n")
	for i, line := range strings.Split(string(text), "\n") {
		if m := straceErrno.FindStringSubmatch(line); m != nil {
			fmt.Fprintf(&b, "%d %s %s\n", i+1, m[1], m[2]) // line i is errno i+1
		}
	}
	return os.WriteFile(filepath.Join(dir, "linux", "errno.txt"), b.Bytes(), 0o644)
}

// compileC builds a static program from source text.
func compileC(program string, source []byte) error {
	cc := exec.Command("gcc", "-O1", "-static", "-o", program, "-x", "c", "-")
	cc.Stdin = bytes.NewReader(source)
	if out, err := cc.CombinedOutput(); err != nil {
		return fmt.Errorf("gcc: %w: %s", err, out)
	}
	return nil
}

func generateErrnos(dir string) error {
	path := filepath.Join(dir, "linux", "errno.txt")
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var user, kernel bytes.Buffer
	lines := bufio.NewScanner(f)
	for i := 1; lines.Scan(); i++ {
		if line := lines.Text(); line != "" && line[0] != '#' {
			fields := strings.SplitN(line, " ", 3)
			n, err := strconv.Atoi(fields[0])
			if err != nil || len(fields) != 3 {
				return fmt.Errorf("%s:%d: want \"number name text\", got %q", path, i, line)
			}
			if n < restartErrnos {
				fmt.Fprintf(&user, "\t%d: {%q, %q},\n", n, fields[1], fields[2])
			} else {
				fmt.Fprintf(&kernel, "\t%d - firstKernelErrno: {%q, %q},\n", n, fields[1], fields[2])
			}
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString(generatedBy("zerrno", "linux/errno.txt"))
	b.WriteString("package syscalls\n\n")
	fmt.Fprintf(&b, "const firstKernelErrno = %d\n\n", restartErrnos)
	fmt.Fprintf(&b, "var userErrnos = [...]errno{\n%s}\n\n", &user)
	fmt.Fprintf(&b, "var kernelErrnos = [...]errno{\n%s}\n", &kernel)
	return writeGo(filepath.Join(dir, "zerrno.go"), b.Bytes())
}
