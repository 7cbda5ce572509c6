package tracefs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	const text = `# comment

read(unsigned int fd, char * buf, size_t count)
getpid()
  execve(const char *filename, const char *const *argv, const char* const* envp)
capget(cap_user_header_t header, cap_user_data_t dataptr)
`
	got, err := Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]Arg{
		"read":   {{"unsigned int", "fd"}, {"char *", "buf"}, {"size_t", "count"}},
		"getpid": {},
		"execve": {{"const char *", "filename"}, {"const char * const *", "argv"}, {"const char * const *", "envp"}},
		"capget": {{"cap_user_header_t", "header"}, {"cap_user_data_t", "dataptr"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, arg := range got["capget"] {
		if !arg.Pointer() {
			t.Errorf("%v is no pointer", arg)
		}
	}
	if got["read"][0].Pointer() || !got["read"][1].Pointer() {
		t.Error("pointers of read are wrong")
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"a()\n\nread", "line 3: want name"},
		{"(int a)", "want name"},
		{"9a(int a)", "want name"},
		{"a b(int a)", "want name"},
		{"a(int a", "closing"},
		{"a(int)", "type and a name"},
		{"a(* a)", "type and a name"},
		{"a(int *)", "type and a name"},
		{"a(int a,)", "type and a name"},
		{"a(,int a)", "type and a name"},
		{"a(int[2] a)", "cannot stand"},
		{"a(int a, long a)", "two arguments"},
		{"a()\na()", "line 2: a stands twice"},
		{"a(int a, int b, int c, int d, int e, int f, int g)", "7 arguments"},
		{strings.Repeat("x", 1<<17), "line 1"},
	} {
		_, err := Parse(strings.NewReader(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Parse(%.40q): %v; want %q", tt.text, err, tt.want)
		}
	}
}

func TestParseFormat(t *testing.T) {
	const text = `name: sys_enter_read
ID: 842
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:int __syscall_nr;	offset:8;	size:4;	signed:1;
	field:unsigned int fd;	offset:16;	size:8;	signed:0;
	field:char * buf;	offset:24;	size:8;	signed:0;

print fmt: "fd: 0x%08lx, buf: 0x%08lx", ((unsigned long)(REC->fd)), ((unsigned long)(REC->buf))
`
	name, args, err := ParseFormat(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := Format(name, args); got != "read(unsigned int fd, char * buf)" {
		t.Errorf("got %s", got)
	}
	for _, bad := range []string{"", "name: sys_enter_a", strings.Replace(text, "char * buf", "char", 1)} {
		if _, _, err := ParseFormat(strings.NewReader(bad)); err == nil {
			t.Errorf("ParseFormat(%q) succeeded", bad)
		}
	}
}

// The files that are checked in: every one parses, and none describes a call of another.
func TestCheckedIn(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "syscalls", "linux")
	seen := map[string]string{}
	for _, file := range []string{"tracefs-6.18-amd64.txt", "untraced.txt"} {
		f, err := os.Open(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		calls, err := Parse(f)
		f.Close()
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for name := range calls {
			if other, ok := seen[name]; ok {
				t.Errorf("%s stands in %s and %s", name, other, file)
			}
			seen[name] = file
		}
	}
	for _, abi := range []string{"amd64", "i386", "x32", "arm64"} {
		text, err := os.ReadFile(filepath.Join(dir, "numbers-"+abi+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "#") {
				continue
			}
			_, name, _ := strings.Cut(strings.TrimSpace(line), " ")
			if seen[name] == "" {
				t.Errorf("%s of %s has no prototype", name, abi)
			}
		}
	}
	// These override the others for one ABI.
	for _, file := range []string{"untraced-i386.txt", "untraced-arm64.txt"} {
		f, err := os.Open(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		calls, err := Parse(f)
		f.Close()
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for name := range calls {
			if seen[name] == "" {
				t.Errorf("%s: no ABI has %s", file, name)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("read(unsigned int fd, char * buf, size_t count)\ngetpid()\n")
	f.Add("# x\n\na(const char *const * argv)")
	f.Add("a(int")
	f.Fuzz(func(t *testing.T, text string) {
		calls, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		var b strings.Builder
		for name, args := range calls {
			b.WriteString(Format(name, args) + "\n")
		}
		again, err := Parse(strings.NewReader(b.String()))
		if err != nil {
			t.Fatalf("own output does not parse: %v\n%s", err, b.String())
		}
		if diff := cmp.Diff(calls, again); diff != "" {
			t.Error(diff)
		}
	})
}
