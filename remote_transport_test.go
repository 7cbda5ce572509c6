package farcall_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// selfAs makes a link to this test as the program farcall, in a directory for PATH.
func selfAs(t *testing.T) (dir string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "farcall")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func script(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// reads has a program read a file through the proxy, with a network of the other side, which is this host.
func reads(t *testing.T, path, to string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("far away\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err == nil {
			fmt.Fprintln(c, "hello")
			c.Close()
		}
	}()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = []string{"farcall", "proxy", "--to", to, "--view", "prefix=/r", "--no-profile", "--net", "remote", "--", "bash", "-c",
		"cat /r$0; echo more >> /r$0; cat < /dev/tcp/127.0.0.1/$1", file, fmt.Sprint(l.Addr().(*net.TCPAddr).Port)}
	cmd.Env = append(os.Environ(), "PATH="+path+":"+os.Getenv("PATH"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || string(out) != "far away\nhello\n" {
		t.Fatalf("%v: %q %q", err, out, &stderr)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "far away\nmore\n" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestRemoteKubectl has a stand-in for kubectl run the server.
func TestRemoteKubectl(t *testing.T) {
	dir := selfAs(t)
	script(t, filepath.Join(dir, "kubectl"), `
[ "$1 $2 $3 $4 $5 $6 $7 $8" = "exec -i -n space pod -c box --" ] || { echo "kubectl: $*" >&2; exit 1; }
shift 8
exec "$@"
`)
	reads(t, dir, "kubectl://space/pod/box")
}

// TestRemoteSSH logs in at an OpenSSH server of this host.
func TestRemoteSSH(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("logging in without a password to be asked for needs a server that runs as root")
	}
	dir := selfAs(t)
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // its privilege separation wants that
		t.Fatal(err)
	}
	for _, key := range []string{"host", "user"} {
		if b, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key)).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, b)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	server := write("sshd_config", fmt.Sprintf(`ListenAddress 127.0.0.1:%d
HostKey %[2]s/host
AuthorizedKeysFile %[2]s/user.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PidFile none
SetEnv PATH=%[2]s:/usr/bin:/bin
`, port, dir))
	client := write("ssh_config", fmt.Sprintf(`Host *
IdentityFile %s/user
IdentitiesOnly yes
UserKnownHostsFile /dev/null
StrictHostKeyChecking no
LogLevel ERROR
`, dir))
	script(t, filepath.Join(dir, "ssh"), `exec /usr/bin/ssh -F `+client+` "$@"`+"\n")
	cmd := exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", server)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("sshd said:\n%s", &log)
		}
	}()
	for end := time.Now().Add(30 * time.Second); ; {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatalf("sshd does not listen: %v", err)
		}
	}
	reads(t, dir, fmt.Sprintf("ssh://root@127.0.0.1:%d", port))
}

// TestRemoteVsock needs a kernel on which vsock reaches the host itself.
func TestRemoteVsock(t *testing.T) {
	_ = exec.Command("modprobe", "vsock_loopback").Run()
	symbols, err := os.ReadFile("/proc/kallsyms")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(symbols, []byte(" vsock_loopback_")) {
		t.Skip("this kernel has no CONFIG_VSOCKETS_LOOPBACK")
	}
	const port = 70707
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = []string{"farcall", "serve", "--listen", fmt.Sprintf("vsock://any:%d", port), "--allow", "rw", "--connect", "all"}
	if os.Getuid() != 0 {
		cmd.Args = append(cmd.Args, "--insecure")
	}
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	line := make([]byte, 200)
	if n, err := out.Read(line); err != nil || !strings.Contains(string(line[:n]), "serving on vsock://") {
		t.Fatalf("%q, %v", line[:n], err)
	}
	reads(t, t.TempDir(), fmt.Sprintf("vsock://local:%d", port))
}
