package server_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"farcall/remote/server"
)

// confinedEnv names the directory in which the process that gives up writing tries to write.
const confinedEnv = "FARCALL_TEST_CONFINED"

func TestMain(m *testing.M) {
	if dir := os.Getenv(confinedEnv); dir != "" {
		confined(dir)
	}
	os.Exit(m.Run())
}

// confined gives up writing and then tries to change files, on several threads.
func confined(dir string) {
	if err := server.GiveUpWriting(); err != nil {
		fmt.Println(err)
		if errors.Is(err, errors.ErrUnsupported) {
			os.Exit(77)
		}
		os.Exit(1)
	}
	var wait sync.WaitGroup
	status := 0
	for range 16 {
		wait.Go(func() {
			file := filepath.Join(dir, "file")
			_, err := os.ReadFile(file)
			if err != nil {
				fmt.Println("it cannot read:", err)
				status = 1
			}
			for _, err := range []error{
				os.WriteFile(file, nil, 0o600), os.WriteFile(file+"2", nil, 0o600), os.Remove(file), os.Mkdir(file+"d", 0o700),
				os.Rename(file, file+"3"), os.Symlink("x", file+"l"), os.Link(file, file+"4"), os.Truncate(file, 0),
			} {
				if !errors.Is(err, os.ErrPermission) {
					fmt.Println("it can change files:", err)
					status = 1
				}
			}
		})
	}
	wait.Wait()
	os.Exit(status)
}

func TestGiveUpWriting(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), confinedEnv+"="+dir)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() == 77 {
		t.Skipf("%s", out) // an old kernel, or the race detector, which needs cgo
	}
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
