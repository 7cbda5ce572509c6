package compare

import (
	"embed"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed testdata/*.c testdata/*.go
var sources embed.FS

// Command is a real command whose traces are compared.
type Command struct {
	Name string
	Why  string // what it is here for
	Args []string
	// Setup fills the working directory of a run, alike for each run; it may be nil.
	Setup func(env *Environment, dir string) error
	// Env is added to the environment.
	Env []string
	// OwnAddresses is set for a program that picks addresses at random itself, whatever the kernel does (Go's heap).
	OwnAddresses bool
}

// Environment is what the commands find besides their working directories.
type Environment struct {
	dir    string // everything lies below it
	server net.Listener
}

// Placeholders in Command.Args.
const (
	binPlaceholder = "@bin" // directory of programs built for the runs
	urlPlaceholder = "@url" // address of the loopback server
)

// Commands is the table over which farcall is compared with strace: pipelines, threads, execs and failures among them.
var Commands = []Command{
	{Name: "ls", Why: "directories, NSS", Args: []string{"ls", "-l", "/usr"}},
	{Name: "bash pipeline", Why: "processes joined by pipes", Setup: texts,
		Args: []string{"bash", "-c", "cat *.txt | sort | uniq -c | head -n 3; echo done"}},
	{Name: "bash script", Why: "subshells, here-documents, traps, job control off", Setup: texts, Args: []string{"bash", "-c",
		`trap 'echo bye' EXIT; x=$(echo a; (echo b)); cat <<<"$x"; for i in 1 2 3; do /bin/echo $i >out.$i; done; [ -d . ] && wc -l a.txt; exit 4`}},
	{Name: "git log", Why: "mmap of packs, a large program", Setup: repository, Args: []string{"git", "log", "--stat"}},
	{Name: "git status", Why: "lstat storms, index lock", Setup: repository, Args: []string{"git", "status"}},
	{Name: "python", Why: "imports, threads, a child process", Args: []string{"python3", "-S", "-c",
		"import json, threading, subprocess, tempfile\nt=threading.Thread(target=lambda: print('thread')); t.start(); t.join()\n" +
			"print(subprocess.run(['/bin/echo','child'],capture_output=True).stdout)\nf=tempfile.NamedTemporaryFile(); f.write(b'x'*70000); f.close()"}},
	{Name: "perl", Why: "interpreter, fork, wait", Args: []string{"perl", "-e",
		`print sort map { "$_\n" } 1..9; my $p = fork; if (!$p) { exit 3 } waitpid $p, 0; print $? >> 8, "\n"; kill 0, $$;`}},
	{Name: "tar create", Why: "reads of many files, vfork of gzip", Setup: texts, Args: []string{"tar", "-czf", "out.tar.gz", "a.txt", "b.txt", "sub"}},
	{Name: "tar extract", Why: "modes, owners and times set", Setup: archive, Args: []string{"tar", "-xf", "in.tar"}},
	{Name: "gcc", Why: "vfork and exec of compiler passes, temporary files", Setup: cSource, Args: []string{"gcc", "-O1", "-o", "prog", "prog.c"}},
	{Name: "make", Why: "jobs, exec of shells", Setup: makefile, Args: []string{"make", "-j1"}},
	{Name: "find", Why: "directory walk", Args: []string{"find", "/etc", "-xdev", "-name", "*.conf"}},
	{Name: "grep", Why: "recursive search", Setup: texts, Args: []string{"grep", "-r", "-n", "line 7", "."}},
	{Name: "sort", Why: "temporary files, threads off", Setup: texts, Args: []string{"sort", "--parallel=1", "-S", "16k", "-r", "a.txt"}},
	{Name: "awk", Why: "pipe to a command", Setup: texts, Args: []string{"awk", `{ n += NF; print $1 | "wc -l" } END { print n }`, "a.txt"}},
	{Name: "sed", Why: "edit in place: mkostemp, rename, chown", Setup: texts, Args: []string{"sed", "-i", "s/line/LINE/", "a.txt"}},
	{Name: "cat missing", Why: "a failing command", Args: []string{"cat", "/nonexistent/file"}},
	{Name: "killed", Why: "death by a signal", Args: []string{"sh", "-c", "ulimit -c 0; kill -SEGV $$"}},
	{Name: "go", Why: "static program with a runtime of its own, threads, SIGURG", Args: []string{binPlaceholder + "/goprog"},
		Env: []string{"GOMAXPROCS=1"}, OwnAddresses: true},
	{Name: "sqlite", Why: "locks, pread and pwrite, fsync", Args: []string{"sqlite3", "t.db",
		"create table t(a,b); insert into t values (1,'x'),(2,'y'); select * from t order by b desc;"}},
	{Name: "curl", Why: "sockets, poll, threads", Args: []string{"curl", "-s", "-o", "page", urlPlaceholder}},
	{Name: "pthreads", Why: "threads, futex, a fork by a thread", Args: []string{binPlaceholder + "/threads"}},
	{Name: "scheduling calls", Why: "futex, yields, polls and signals whose number is no chance, beside the programs where it is",
		Args: []string{binPlaceholder + "/schedcalls"}},
	{Name: "exec by a thread", Why: "pid change", Args: []string{binPlaceholder + "/execthread"}},
	{Name: "dd", Why: "offsets, truncation, SIGUSR1 set up", Args: []string{"dd", "if=/dev/zero", "of=out", "bs=4k", "count=20", "seek=2", "conv=fsync"}},
	{Name: "xargs", Why: "processes side by side", Args: []string{"bash", "-c", "seq 12 | xargs -n 2 -P 3 echo"}},
	{Name: "timeout", Why: "timer, a signal sent and received", Args: []string{"timeout", "0.2", "sleep", "20"}},
	{Name: "shell jobs", Why: "background processes, wait, SIGCHLD", Args: []string{"sh", "-c", "true & wait $!; (exit 5) & wait $!; echo $?"}},
	{Name: "not found", Why: "PATH search that ends in nothing", Args: []string{"sh", "-c", "no-such-program; exit $?"}},
}

// NewEnvironment builds the programs and starts the server that the commands use, below dir.
func NewEnvironment(dir string) (*Environment, error) {
	e := &Environment{dir: dir}
	for _, d := range []string{"bin", "out", "template"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"threads", "execthread", "schedcalls"} {
		if err := e.source(filepath.Join(dir, "bin"), name+".c"); err != nil {
			return nil, err
		}
		cmd := exec.Command("gcc", "-O1", "-pthread", "-o", name, name+".c")
		cmd.Dir = filepath.Join(dir, "bin")
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	if err := e.source(filepath.Join(dir, "bin"), "goprog.go"); err != nil {
		return nil, err
	}
	build := exec.Command("go", "build", "-o", "goprog", "goprog.go")
	build.Dir = filepath.Join(dir, "bin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if err := output(build); err != nil {
		return nil, err
	}
	if err := e.makeRepository(filepath.Join(dir, "template", "repository")); err != nil {
		return nil, err
	}
	var err error
	if e.server, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	go http.Serve(e.server, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil // the same answer in each run
		fmt.Fprint(w, strings.Repeat("hello from the loopback\n", 100))
	}))
	return e, nil
}

// Close stops the server.
func (e *Environment) Close() error { return e.server.Close() }

// args replaces the placeholders.
func (e *Environment) args(c *Command) []string {
	out := make([]string, len(c.Args))
	for i, a := range c.Args {
		out[i] = strings.NewReplacer(binPlaceholder, filepath.Join(e.dir, "bin"), urlPlaceholder, "http://"+e.server.Addr().String()+"/").Replace(a)
	}
	return out
}

func (e *Environment) source(dir, name string) error {
	text, err := sources.ReadFile("testdata/" + name)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), text, 0o644)
}

func texts(_ *Environment, dir string) error {
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		return err
	}
	for _, name := range []string{"a.txt", "b.txt", "sub/c.txt"} {
		var b strings.Builder
		for i := range 2000 {
			fmt.Fprintf(&b, "line %d of %s\n", i%50, name)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func archive(e *Environment, dir string) error {
	if err := texts(e, dir); err != nil {
		return err
	}
	cmd := exec.Command("tar", "--mtime=2020-01-01", "--sort=name", "--remove-files", "-cf", "in.tar", "a.txt", "b.txt", "sub")
	cmd.Dir = dir
	return output(cmd)
}

func cSource(e *Environment, dir string) error { return e.source(dir, "prog.c") }

func makefile(e *Environment, dir string) error {
	if err := texts(e, dir); err != nil {
		return err
	}
	text := "all: one two\none: a.txt\n\twc -l <a.txt >one\ntwo: one\n\t@sort one | cat >two; test -s two\n\t-false\n"
	return os.WriteFile(filepath.Join(dir, "Makefile"), []byte(text), 0o644)
}

// repository copies the template, so that each run finds the same objects.
func repository(e *Environment, dir string) error {
	return output(exec.Command("cp", "-a", filepath.Join(e.dir, "template", "repository")+"/.", dir))
}

func (e *Environment) makeRepository(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := texts(e, dir); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "."}, {"commit", "-q", "-m", "first"}, {"mv", "b.txt", "d.txt"},
		{"commit", "-q", "-m", "second"}, {"rm", "-q", "a.txt"}, {"commit", "-q", "-m", "third"}, {"gc", "-q"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = e.environ(nil)
		if err := output(cmd); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "untracked"), []byte("x\n"), 0o644)
}

// environ is the environment of every command: the same for each run, and nothing of the caller's.
func (e *Environment) environ(more []string) []string {
	return append([]string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", "LC_ALL=C", "TZ=UTC", "TERM=dumb",
		"HOME=" + filepath.Join(e.dir, "home"), "PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1", "PERL_HASH_SEED=0",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_AUTHOR_DATE=2020-01-01T00:00:00Z",
		"GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org", "GIT_COMMITTER_DATE=2020-01-01T00:00:00Z",
	}, more...)
}

func output(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}
