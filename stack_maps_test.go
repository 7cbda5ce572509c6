package farcall_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"farcall"
	"farcall/event"
)

// TestStackFollowsLibraries: of two libraries of one size that are loaded one after the other, and so at one
// place, the calls of each are shown as its own, whether a filter hides how they came or not.
func TestStackFollowsLibraries(t *testing.T) {
	dir := t.TempDir()
	build := func(name, text string, args ...string) {
		t.Helper()
		src := filepath.Join(dir, name+".c")
		if err := os.WriteFile(src, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-O1", src, "-o", filepath.Join(dir, name))
		if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
			t.Fatalf("gcc: %v\n%s", err, out)
		}
	}
	for _, name := range []string{"first", "second"} {
		build(name+".so", "#include <unistd.h>\nvoid "+name+"(void) { getppid(); __asm__ volatile(\"\"); }\n", "-shared", "-fPIC")
	}
	build("main", `#include <dlfcn.h>
#include <unistd.h>
static void *use(const char *file, const char *function) {
	void *library = dlopen(file, RTLD_NOW), *f = library ? dlsym(library, function) : 0;
	if (!f)
		_exit(1);
	((void (*)(void))f)();
	dlclose(library);
	return f;
}
int main(void) { return use("./first.so", "first") == use("./second.so", "second") ? 0 : 2; }
`)
	attach := func(_ *farcall.Task, ev *event.Event) bool { return ev.Kind == event.CallExit }
	for name, opts := range map[string]farcall.Options{
		"seen":             {Stacks: farcall.StackOptions{Attach: attach}},
		"filtered":         {Calls: calls(t, "getppid"), Stacks: farcall.StackOptions{Attach: attach}},
		"filtered, asked":  {Calls: calls(t, "getppid"), Stacks: farcall.StackOptions{Watch: true}},
		"mmap is filtered": {Calls: calls(t, "getppid,mmap"), Stacks: farcall.StackOptions{Attach: attach}},
	} {
		t.Run(name, func(t *testing.T) {
			tr := farcall.New(opts)
			var got []string
			tr.Observe(func(task *farcall.Task, ev *event.Event) {
				switch {
				case ev.Kind != event.CallEntry && ev.Kind != event.CallExit:
				case opts.Calls != nil && ev.Call.Desc.Name != "getppid" && ev.Call.Desc.Name != "mmap":
					t.Errorf("%s is told of", ev.Call.Desc.Name)
				case ev.Kind == event.CallExit && ev.Call.Desc.Name == "getppid":
					if names := functions(task.Stack()); len(names) > 1 {
						got = append(got, names[1])
					}
				}
			})
			cmd, _ := command(t, filepath.Join(dir, "main"))
			cmd.Dir = dir
			if err := tr.Run(context.Background(), cmd); err != nil {
				t.Fatal(err) // 2: the libraries were not at one place
			}
			if len(got) != 2 || got[0] != "first" || got[1] != "second" {
				t.Errorf("called by %q", got)
			}
		})
	}
}
