package farcall_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
)

// cpythonModules are the modules of CPython's tests that are about what the proxy carries.
var cpythonModules = []string{"test_stat", "test_fcntl", "test_mmap", "test_posix", "test_os", "test_pathlib", "test_shutil", "test_subprocess", "test_zipfile",
	// Of test_socket those that every machine can run: without VSOCK it hangs.
	"test_socket.BasicTCPTest", "test_socket.BasicUDPTest", "test_socket.BasicSocketPairTest", "test_socket.TestExceptions",
	"test_socket.SendfileUsingSendfileTest", "test_socket.RecvmsgIntoTCPTest"}

// cpythonFails are the tests that pass natively and not through the proxy, with the reason. docs/remote.md has them too.
var cpythonFails = map[string]string{
	"test_fcntl_64_bit":      "F_NOTIFY of fcntl is not carried",
	"test_is_socket_true":    "unix sockets",
	"test_splice_offset_out": "splice to a file of the other host gives EINVAL with memfds",
}

// TestRemoteCPython runs CPython's own tests with their temporary files on the far host, and natively there. It is opt-in: FARCALL_CPYTHON is
// the directory that has the package test, see .ci/cpython.
func TestRemoteCPython(t *testing.T) {
	dir := os.Getenv("FARCALL_CPYTHON")
	if dir == "" {
		t.Skip("make test-cpython runs it")
	}
	h := newFarHost(t, "--allow", "rw")
	if err := os.MkdirAll(filepath.Join(h.root, dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if msg, err := exec.Command("cp", "-a", filepath.Join(dir, "test"), filepath.Join(h.root, dir)).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, msg)
	}
	if err := os.WriteFile(filepath.Join(h.root, "etc/hosts"), []byte("127.0.0.1 localhost\n::1 localhost\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	env := []string{"env", "PYTHONPATH=" + dir, "PYTHONDONTWRITEBYTECODE=1", "TMPDIR=/home/tmp", "LC_ALL=C.UTF-8"}
	for _, module := range cpythonModules {
		run := append(slices.Clone(env), "timeout", "400", "/usr/bin/python3", "-m", "unittest", "-v", "test."+module)
		var native cpythonResult
		for _, mechanism := range []string{"", "notify", "ptrace"} {
			h.clear("home/tmp")
			h.clear("home/cwd")
			var got outcome
			if mechanism == "" {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				cmd := exec.CommandContext(ctx, "nsenter", append([]string{"-t", fmt.Sprint(h.pid), "-m", "-u", "-i", "/usr/sbin/chroot", h.root,
					"bash", "-c", `cd /home/cwd; exec "$0" "$@"`}, run...)...)
				cmd.Env = farEnv
				got = h.run(cmd)
				cancel()
				native = readCPython(got.stderr)
				t.Logf("%s: %d tests, natively %d fail", module, native.tests, len(native.failed))
				if native.tests == 0 {
					t.Errorf("%s: natively: %+v", module, got)
				}
				continue
			}
			got = h.proxied([]string{"--mechanism", mechanism, "--cwd", "/home/cwd", "--net", "local", "--local", dir}, run...)
			result := readCPython(got.stderr)
			if result.tests != native.tests {
				t.Errorf("%s, %s: %d tests of %d: %s", module, mechanism, result.tests, native.tests, got.stderr[max(0, len(got.stderr)-2000):])
			}
			for name, text := range result.failed {
				if reason := cpythonFails[name]; reason != "" {
					t.Logf("%s, %s: %s fails: %s", module, mechanism, name, reason)
				} else if native.failed[name] == "" {
					t.Errorf("%s, %s: %s", module, mechanism, text)
				}
			}
		}
	}
}

// A cpythonResult is what unittest says at the end.
type cpythonResult struct {
	tests  int
	failed map[string]string // by name, with what it says of it
}

var (
	cpythonRan    = regexp.MustCompile(`(?m)^Ran (\d+) tests? in`)
	cpythonFailed = regexp.MustCompile(`(?ms)^(?:ERROR|FAIL): (\w+) .*?^(?:=====|Ran )`)
)

func readCPython(stderr string) cpythonResult {
	r := cpythonResult{failed: map[string]string{}}
	if m := cpythonRan.FindStringSubmatch(stderr); m != nil {
		fmt.Sscan(m[1], &r.tests)
	}
	for rest := stderr; ; {
		at := cpythonFailed.FindStringSubmatchIndex(rest)
		if at == nil {
			return r
		}
		r.failed[rest[at[2]:at[3]]] = rest[at[0]:at[1]]
		rest = rest[at[1]-4:] // what ends one begins the next
	}
}
