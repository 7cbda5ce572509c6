// Command remote measures what programs cost on another host's files: by farcall proxy, and by sshfs and chroot, which is what one would use without
// it. Both go through a relay in this process that delays what passes, so that a link of any length can be had on one machine. The runs are
// interleaved, the medians count, and it prints Markdown.
//
// sshfs talks to sftp-server directly, without ssh's encryption, and has its default caches, and all links of the root directory; /dev and /proc are this
// host's, as with farcall. Its mount is made anew before each run of the column "first", which is not counted, and is warm for "again". What farcall needs to begin and to end a session
// is counted each time; it has no profile for "first", and has learned one for "again".
//
// Usage: go run ./internal/bench/remote [-rounds N] [-rtt TIME,...] [-only NAME,...] [-size MIB] [-farcall PROGRAM]. It needs root, sshfs and
// openssh-sftp-server.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const sftpServer = "/usr/lib/openssh/sftp-server"

type options struct {
	rounds        int
	rtt           string
	only, farcall string
	size          int
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "runs of each combination; the median counts")
	flag.StringVar(&o.rtt, "rtt", "0s,1ms,20ms", "round-trip times of the link, comma-separated")
	flag.StringVar(&o.only, "only", "", "workloads to run, comma-separated; all by default")
	flag.StringVar(&o.farcall, "farcall", "", "farcall program to measure; built from ./cmd/farcall by default")
	flag.IntVar(&o.size, "size", 1024, "MiB that are read and written in a row")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A workload is a shell script in the far directory. before is run there before each run, and not measured.
type workload struct{ name, script, before string }

func workloads(size int) []workload {
	return []workload{
		{"cat", "cat small", ""},
		{"ls -lR of 1,000 files", "ls -lR tree | wc -l", ""},
		{"git status of 100 files", "cd repo && git status --short", ""},
		{"tar of 1,000 files", "tar cf - tree | wc -c", ""},
		{"grep -r in 1,000 files", "grep -rl nothing tree; true", ""},
		{fmt.Sprintf("read of %d MiB", size), "dd if=big of=/dev/null bs=1M status=none", ""},
		{fmt.Sprintf("write of %d MiB", size), fmt.Sprintf("dd if=/dev/zero of=written bs=1M count=%d conv=fsync status=none", size), "rm -f written"},
	}
}

// wants tells whether a workload is to be run.
func (o *options) wants(w workload) bool {
	return o.only == "" || slices.ContainsFunc(strings.Split(o.only, ","), func(n string) bool { return strings.Contains(w.name, n) })
}

// prepare makes the far directory.
func prepare(ctx context.Context, dir string, size int) error {
	script := fmt.Sprintf(`set -e
echo small > small
for d in {1..50}; do mkdir -p tree/$d; for f in {1..20}; do head -c $((f * 300)) /dev/urandom > tree/$d/$f; done; done
git init -q -b main repo; cd repo; for i in {1..100}; do mkdir -p d$((i %% 10)); echo $i > d$((i %% 10))/f$i; done
find . -path ./.git -prune -o -type f -exec touch -d 2020-01-01 {} +
git add .; git -c user.name=a -c user.email=a@b commit -qm one; git status --short; cd ..
head -c %d /dev/urandom > big`, size<<20)
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("prepare: %w: %s", err, out)
	}
	return nil
}

func run(ctx context.Context, o options) (err error) {
	for _, need := range []string{"sshfs", sftpServer} {
		if _, err := exec.LookPath(need); err != nil {
			return fmt.Errorf("%w: install sshfs and openssh-sftp-server", err)
		}
	}
	dir, err := os.MkdirTemp("", "farcall-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.farcall == "" {
		o.farcall = filepath.Join(dir, "farcall")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", o.farcall, "./cmd/farcall")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build: %w: %s", err, out)
		}
	}
	far := filepath.Join(dir, "far")
	if err := os.Mkdir(far, 0o755); err != nil {
		return err
	}
	if err := prepare(ctx, far, o.size); err != nil {
		return err
	}
	s, err := newSides(ctx, dir, far, o.farcall)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var rtts []time.Duration
	for _, text := range strings.Split(o.rtt, ",") {
		d, err := time.ParseDuration(text)
		if err != nil {
			return err
		}
		rtts = append(rtts, d)
	}
	for _, rtt := range rtts {
		s.setRTT(rtt)
		fmt.Printf("\n### Round-trip time %v\n\n| | farcall, first | again | sshfs, first | again | sshfs/farcall, first | again |\n|---|---|---|---|---|---|---|\n", rtt)
		for _, w := range workloads(o.size) {
			if !o.wants(w) {
				continue
			}
			fmt.Fprintf(os.Stderr, "%v %s\n", rtt, w.name)
			if err := s.measure(ctx, w, o.rounds); err != nil {
				return err
			}
		}
	}
	s.setRTT(0)
	fmt.Printf("\n### Work on this host's files\n\n| | native | farcall | farcall/native |\n|---|---|---|---|\n")
	for _, w := range localWorkloads {
		if !o.wants(w) {
			continue
		}
		if err := s.measureLocal(ctx, w, o.rounds); err != nil {
			return err
		}
	}
	return nil
}

// localWorkloads have all that they name on this host.
var localWorkloads = []workload{
	{"dd bs=1 count=1000000", "dd if=/dev/zero of=written bs=1 count=1000000 status=none", ""},
	{"300 x /bin/true from a shell", "i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done", ""},
}

// measureLocal runs a workload natively and under farcall, interleaved, and prints a row.
func (s *sides) measureLocal(ctx context.Context, w workload, rounds int) error {
	var native, proxied []time.Duration
	for range rounds {
		for _, to := range []*[]time.Duration{&native, &proxied} {
			args := []string{"bash", "-c", w.script}
			if to == &proxied {
				args = append([]string{s.farcall, "proxy", "--to", "unix://" + filepath.Join(s.dir, "relay"), "--local", "/**", "--cwd", s.far, "--no-profile", "--"}, args...)
			}
			cmd := exec.CommandContext(ctx, args[0], args[1:]...)
			cmd.Dir = s.far
			start := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", w.name, err, out)
			}
			*to = append(*to, time.Since(start))
		}
	}
	a, b := median(native), median(proxied)
	fmt.Printf("| %s | %s | %s | %.2f |\n", w.name, milliseconds(a), milliseconds(b), float64(b)/float64(a))
	return nil
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.4g ms", float64(d.Microseconds())/1000)
}

// sides are the two ways to the far directory.
type sides struct {
	dir, far, farcall string
	server            *exec.Cmd
	proxy, sftp       *relay
	mounted           bool
}

func newSides(ctx context.Context, dir, far, farcall string) (*sides, error) {
	s := &sides{dir: dir, far: far, farcall: farcall}
	sock := filepath.Join(dir, "server")
	s.server = exec.Command(farcall, "serve", "--listen", "unix://"+sock, "--allow", "rw")
	stderr, err := s.server.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.server.Start(); err != nil {
		return nil, err
	}
	if _, err := stderr.Read(make([]byte, 1)); err != nil { // it says where it serves
		return nil, errors.Join(err, s.close())
	}
	go func() { _, _ = io.Copy(io.Discard, stderr) }() // until it ends
	s.proxy, err = newRelay("unix", filepath.Join(dir, "relay"), func() (io.ReadWriteCloser, error) { return net.Dial("unix", sock) })
	if err == nil {
		s.sftp, err = newRelay("tcp", "127.0.0.1:0", func() (io.ReadWriteCloser, error) { return startCommand(sftpServer) })
	}
	if err == nil {
		err = os.Mkdir(s.mount(), 0o755)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *sides) mount() string { return filepath.Join(s.dir, "mount") }

func (s *sides) setRTT(d time.Duration) {
	s.proxy.setRTT(d)
	s.sftp.setRTT(d)
}

func (s *sides) close() (err error) {
	if s.mounted {
		err = s.unmount()
	}
	_ = s.server.Process.Signal(syscall.SIGTERM)
	return errors.Join(err, s.server.Wait())
}

func (s *sides) unmount() error {
	s.mounted = false
	if out, err := exec.Command("umount", "--recursive", s.mount()).CombinedOutput(); err != nil {
		return fmt.Errorf("umount: %w: %s", err, out)
	}
	return nil
}

// remount makes the mount anew, so that nothing is known.
func (s *sides) remount(ctx context.Context) error {
	if s.mounted {
		if err := s.unmount(); err != nil {
			return err
		}
	}
	port := s.sftp.listener.Addr().(*net.TCPAddr).Port
	cmd := exec.CommandContext(ctx, "sshfs", "-o", fmt.Sprintf("directport=%d,no_contain_symlinks", port), "127.0.0.1:/", s.mount())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("sshfs: %w: %s", err, out)
	}
	s.mounted = true
	for _, dir := range []string{"/dev", "/proc"} {
		if out, err := exec.CommandContext(ctx, "mount", "--bind", dir, s.mount()+dir).CombinedOutput(); err != nil {
			return fmt.Errorf("mount %s: %w: %s", dir, err, out)
		}
	}
	return nil
}

// measure runs a workload in all ways, interleaved, and prints a row.
func (s *sides) measure(ctx context.Context, w workload, rounds int) error {
	var times [4][]time.Duration
	var outputs [4]string
	cache := filepath.Join(s.dir, "cache")
	for range rounds {
		if err := os.RemoveAll(cache); err != nil {
			return err
		}
		for way := range times {
			if way == 2 {
				if err := s.remount(ctx); err != nil {
					return err
				}
			}
			if w.before != "" {
				cmd := exec.CommandContext(ctx, "bash", "-c", w.before)
				if cmd.Dir = s.far; way >= 2 { // it believes what it has known for a while
					cmd.Dir = s.mount() + s.far
				}
				if out, err := cmd.CombinedOutput(); err != nil {
					return fmt.Errorf("%s: %w: %s", w.before, err, out)
				}
			}
			var cmd *exec.Cmd
			if way < 2 {
				cmd = exec.CommandContext(ctx, s.farcall, "proxy", "--to", "unix://"+filepath.Join(s.dir, "relay"), "--cwd", s.far, "--", "bash", "-c", w.script)
			} else {
				cmd = exec.CommandContext(ctx, "chroot", s.mount(), "bash", "-c", "cd "+s.far+"; "+w.script)
			}
			cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+cache, "HOME=/nonexistent", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			start := time.Now()
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("%s: %w: %s", w.name, err, stderr.String())
			}
			times[way] = append(times[way], time.Since(start))
			outputs[way] = stdout.String()
		}
	}
	if strings.HasPrefix(w.name, "cat") && (outputs[0] != outputs[2] || outputs[1] != outputs[3]) {
		return fmt.Errorf("%s: they print %q", w.name, outputs)
	}
	var m [4]time.Duration
	for i, all := range times {
		m[i] = median(all)
	}
	fmt.Printf("| %s | %s | %s | %s | %s | %.2g | %.2g |\n", w.name, milliseconds(m[0]), milliseconds(m[1]), milliseconds(m[2]), milliseconds(m[3]),
		float64(m[2])/float64(m[0]), float64(m[3])/float64(m[1]))
	return nil
}

// A command's standard streams.
type command struct {
	io.WriteCloser
	io.Reader
	cmd *exec.Cmd
}

func startCommand(name string, args ...string) (io.ReadWriteCloser, error) {
	cmd := exec.Command(name, args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &command{in, out, cmd}, nil
}

// Close ends it.
func (c *command) Close() error {
	err := c.WriteCloser.Close()
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait() // by the signal
	return err
}
