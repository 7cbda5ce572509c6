package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// workload is a program that is measured.
type workload struct {
	key, name string
	argv      []string
	dir       string // working directory, set by prepare
	setup     func(ctx context.Context, dir string) error
}

const (
	ddCount = 300_000
	forks   = 200
	commits = 2000
)

func allWorkloads(scale int) []workload {
	scale = max(scale, 1)
	return []workload{
		{key: "dd", name: fmt.Sprintf("`dd bs=1 count=%d`", ddCount/scale),
			argv: []string{"dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=" + strconv.Itoa(ddCount/scale), "status=none"}},
		{key: "find", name: "`find /usr`", argv: []string{"find", "/usr"}},
		{key: "git", name: "`git log --stat`", argv: []string{"git", "-c", "safe.directory=*", "--no-pager", "log", "--stat"}, setup: makeRepository},
		{key: "gcc", name: "`gcc -O1`", argv: []string{"gcc", "-O1", "-o", "prog", "prog.c"}, setup: makeSource},
		{key: "forks", name: fmt.Sprintf("`bash -c`, %d forks", forks/scale),
			argv: []string{"bash", "-c", fmt.Sprintf("for ((i=0;i<%d;i++)); do (:); done", forks/scale)}},
	}
}

func (w *workload) prepare(ctx context.Context, base string) error {
	w.dir = filepath.Join(base, w.key)
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return err
	}
	if _, err := exec.LookPath(w.argv[0]); err != nil {
		return err
	}
	if w.setup == nil {
		return nil
	}
	return w.setup(ctx, w.dir)
}

// makeRepository writes a history of a few hundred commits through git fast-import, which takes a moment where as many
// calls of git commit would take minutes.
func makeRepository(ctx context.Context, dir string) error {
	var in strings.Builder
	for i := range commits {
		fmt.Fprintf(&in, "commit refs/heads/main\ncommitter A <a@example.org> %d +0000\ndata 10\nchange %02d\n", 1_500_000_000+i*60, i%100)
		for _, file := range []int{i % 20, i*7%50 + 20} {
			text := strings.Repeat(fmt.Sprintf("line of commit %d\n", i), 20+i%30)
			fmt.Fprintf(&in, "M 100644 inline dir%d/file%d\ndata %d\n%s\n", file%5, file, len(text), text)
		}
	}
	for _, step := range []struct{ stdin, args string }{{"", "init -q -b main"}, {in.String(), "fast-import --quiet"}, {"", "reset -q --hard main"}} {
		cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "-c", "safe.directory=*"}, strings.Fields(step.args)...)...)
		cmd.Stdin = strings.NewReader(step.stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %w\n%s", step.args, err, out)
		}
	}
	return nil
}

func makeSource(_ context.Context, dir string) error {
	var b strings.Builder
	b.WriteString("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n")
	for i := range 50 {
		fmt.Fprintf(&b, "int f%d(int x) { char s[64]; snprintf(s, sizeof s, \"%%d\", x * %d); return (int)strlen(s); }\n", i, i)
	}
	b.WriteString("int main(int argc, char **argv) { (void)argv; return f1(argc) + f49(argc) ? 0 : 1; }\n")
	return os.WriteFile(filepath.Join(dir, "prog.c"), []byte(b.String()), 0o644)
}
