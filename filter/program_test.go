package filter

import (
	"strings"
	"testing"
)

func TestConditions(t *testing.T) {
	for _, tt := range []struct {
		call *sample
		text string
		want string
	}{
		{&openatSample, `name == openat`, "true"},
		{&openatSample, `name != openat`, "false"},
		{&openatSample, `name == "openat"`, "true"},
		{&openatSample, `name in (open, openat)`, "true"},
		{&openatSample, `name in %file`, "true"},
		{&openatSample, `name not in %file`, "false"},
		{&openatSample, `name in (%net, %file)`, "true"},
		{&openatSample, `name glob "open*"`, "true"},
		{&openatSample, `name =~ /^open(at)?$/`, "true"},
		{&openatSample, `class == %net`, "false"},
		{&openatSample, `class has file`, "true"},
		{&openatSample, `abi == amd64`, "true"},
		{&openatSample, `abi in (i386, x32)`, "false"},
		{&openatSample, `args.filename == "/etc/passwd"`, "true"},
		{&openatSample, `args.filename != "/etc/passwd"`, "false"},
		{&openatSample, `args.filename glob "/etc/*"`, "true"},
		{&openatSample, `args.filename glob ("/usr/*", "/etc/*")`, "true"},
		{&openatSample, `args.filename not glob "/usr/*"`, "true"},
		{&openatSample, `args.filename matches "pass"`, "true"},
		{&openatSample, `args.filename !~ /wd$/`, "false"},
		{&openatSample, `args.filename contains "etc/p"`, "true"},
		{&openatSample, `args.filename in ("/etc/passwd", "/etc/group")`, "true"},
		{&openatSample, `args.filename == NULL`, "false"},
		{&noPath, `args.filename == NULL`, "true"},
		{&noPath, `args.filename != NULL`, "false"},
		{&openatSample, `args.dfd == AT_FDCWD`, "true"}, // an int: the upper half of the register does not count
		{&openatSample, `args.dfd == -100`, "true"},
		{&openatSample, `args.dfd < 0`, "true"},
		{&openatSample, `args.dfd in -200..-1`, "true"},
		{&openatSample, `args.dfd >= 0`, "false"},
		{&openatSample, `arg0 == 0xffffff9c`, "true"},
		{&openatSample, `arg0 < 0`, "false"},
		{&openatSample, `arg3 == 0644`, "true"},
		{&openatSample, `args.flags has O_CREAT`, "true"},
		{&openatSample, `args.flags has O_WRONLY`, "true"},
		{&openatSample, `args.flags has O_RDONLY`, "false"},
		{&failedOpen, `args.flags has O_RDONLY`, "true"},
		{&openatSample, `args.flags has (O_CREAT|O_TRUNC)`, "true"},
		{&openatSample, `args.flags has O_CREAT|O_APPEND`, "false"},
		{&openatSample, `args.flags has any (O_CREAT|O_APPEND)`, "true"},
		{&openatSample, `args.flags has_any O_APPEND|O_EXCL`, "false"},
		{&openatSample, `args.flags not has O_APPEND`, "true"},
		{&openatSample, `args.flags == O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC`, "true"},
		{&openatSample, `args.flags & O_ACCMODE == O_WRONLY`, "true"},
		{&openatSample, `args.mode & 0111 == 0`, "true"},
		{&openatSample, `args.mode == 0644`, "true"},
		{&failedOpen, `args.mode == 0`, "false"}, // there is no mode without O_CREAT
		{&failedOpen, `not args.mode == 0`, "true"},
		{&failedOpen, `args.mode != 5`, "false"},
		{&openatSample, `fd.path == "/home"`, "true"},
		{&failedOpen, `args.dfd.path == "/tmp/x"`, "true"},
		{&failedOpen, `fd == 3`, "true"},
		{&connectIP, `fd.peer glob "10.*"`, "true"},
		{&readSample, `fd.peer == "x"`, "false"},
		{&readSample, `fd.peer != "x"`, "false"}, // it has none
		{&openatSample, `comm == "prog"`, "true"},
		{&openatSample, `pid == 11 and tid != 11`, "true"},
		{&openatSample, `region == "parse" and depth == 2`, "true"},
		{&openatSample, `stack has "main"`, "true"},
		{&openatSample, `stack has glob "parse_*"`, "true"},
		{&openatSample, `stack not has "mai"`, "true"},
		{&openatSample, `ret == 3`, "later true"},
		{&openatSample, `ret >= 0 and errno == 0`, "later true"},
		{&failedOpen, `errno == ENOENT`, "later true"},
		{&failedOpen, `errno in (EACCES, EPERM)`, "later false"},
		{&failedOpen, `ret == -1`, "later true"},
		{&failedOpen, `failed`, "later true"},
		{&failedOpen, `ok`, "later false"},
		{&failedOpen, `not ok`, "later true"},
		{&openatSample, `duration > 2ms`, "later true"},
		{&openatSample, `duration in 1ms..2.5ms`, "later false"},
		{&openatSample, `name == read and failed`, "false"},
		{&openatSample, `name == openat or failed`, "true"},
		{&failedOpen, `failed and args.filename == "x"`, "false"},
		{&readSample, `args.buf contains "world"`, "later true"},
		{&readSample, `args.buf contains "END"`, "later true"}, // behind what the trace shows
		{&readSample, `args.buf glob "hello*END"`, "later true"},
		{&readSample, `args.count == 100`, "true"}, // behind an argument that is not known yet
		{&readSample, `args.count > 64k`, "false"},
		{&readSample, `args.count % 10 == 0`, "true"},
		{&readSample, `arg2 % 7 == 2`, "true"},
		{&readSample, `args.filename == "x"`, "false"}, // read has none
		{&readSample, `args.filename != "x"`, "false"},
		{&readSample, `not args.filename == "x"`, "true"},
		{&exitSample, `args.error_code == 7`, "true"},
		{&exitSample, `ret == 0`, "later false"},
		{&exitSample, `not ret == 0`, "later true"},
		{&exitSample, `failed or ok`, "later false"},
		{&writevSample, `args.vec[0].iov_len == 3`, "true"},
		{&writevSample, `args.vec[1].iov_base == "d"`, "true"},
		{&writevSample, `args.vec[2].iov_len >= 0`, "false"},
		{&writevSample, `args.vec[*].iov_base contains "bc"`, "true"},
		{&connectIP, `args.uservaddr.sin_port == 443`, "true"},
		{&connectIP, `args.uservaddr.sin_addr == "10.0.0.1"`, "true"},
		{&connectIP, `args.uservaddr.sa_family == AF_INET`, "true"},
		{&connectIP, `args.uservaddr.sa_family == AF_INET6`, "false"},
		{&openat2Call, `args.how.resolve == RESOLVE_BENEATH`, "true"},
		{&openat2Call, `args.how.resolve has RESOLVE_BENEATH`, "true"},
		{&openat2Call, `args.how.resolve has RESOLVE_IN_ROOT`, "false"},
		{&ioctlSample, `args.cmd == TCGETS`, "true"},
		{&ioctlSample, `args.cmd in (TIOCGWINSZ, TCGETS)`, "true"},
		{&ioctlSample, `args.cmd == TIOCGWINSZ`, "false"},
		{&i386Pread, `args.pos == 4G`, "true"}, // in two registers
		{&i386Pread, `abi == i386 and args.count == 8`, "true"},
		{&execSample, `args.argv[0] == "cc"`, "true"},
		{&execSample, `args.argv[*] glob "*.c"`, "true"},
		{&execSample, `args.argv[*] == "x"`, "false"},
		{&execSample, `args.envp[*] == "LANG=C"`, "true"}, // which the trace only counts
		{&execSample, `args.envp[0] glob "LANG=*"`, "true"},
		{&execSample, `args.envp[1] glob "*"`, "false"},
		{&execSample, `args.envp[*] != "LANG=C"`, "false"},
		{&killSample, `args.sig == SIGTERM`, "true"},
		{&killSample, `args.sig in (SIGKILL, SIGTERM)`, "true"},
		{&killSample, `args.pid == -16`, "true"},
		{&masks, `args.nset has SIGTERM`, "true"},
		{&masks, `args.nset has SIGTERM|SIGINT`, "true"},
		{&masks, `args.nset has SIGKILL`, "false"},
		{&masks, `args.nset has any SIGKILL|SIGINT`, "true"},
		{&masks, `args.nset not has any SIGKILL|SIGHUP`, "true"},
	} {
		if got := tt.call.answers(t, tt.text); got != tt.want {
			t.Errorf("%s: %s: %s, want %s", tt.call.name, tt.text, got, tt.want)
		}
	}
}

func TestCount(t *testing.T) {
	for _, tt := range []struct {
		text string
		want string
	}{
		{"name == openat and count == 2", "01000"},
		{"count in 2..3 and name == openat", "01100"},
		{"name == openat and count % 2 == 1", "10101"},
		{"name == openat and not (count == 1 or count == 4)", "01101"},
		{"failed and count == 1", "10000"},
	} {
		p := compile(t, tt.text)
		got := ""
		for range 5 {
			env := failedOpen.env(t)
			truth := p.Entry(env)
			if truth == Unknown {
				failedOpen.exit(env)
				truth = False
				if p.Exit(env) {
					truth = True
				}
			}
			got += map[Truth]string{True: "1", False: "0"}[truth]
			// What the rest does not match is not counted.
			other := readSample.env(t)
			if truth := p.Entry(other); truth == Unknown {
				readSample.exit(other)
				if p.Exit(other) {
					t.Errorf("%s: read matches", tt.text)
				}
			} else if truth == True {
				t.Errorf("%s: read matches", tt.text)
			}
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.text, got, tt.want)
		}
	}
}

// TestDecidingAllocatesNothing holds what is asked of every call to no garbage.
func TestDecidingAllocatesNothing(t *testing.T) {
	for _, tt := range []struct {
		call *sample
		text string
	}{
		{&openatSample, `name == openat and args.flags has O_CREAT and fd == 3`},
		{&openatSample, `args.filename glob "/etc/*" and args.flags has O_CLOEXEC`},
		{&openatSample, `args.filename =~ /^\/etc\/.*d$/`},
		{&openatSample, `fd.path == "/home" or comm == "x"`},
		{&openatSample, `args.mode & 0111 == 0 and args.mode in (0..0777)`},
		{&openatSample, `errno == ENOENT or ret == 3 and duration > 1ms`},
		{&readSample, `args.buf contains "END" and count % 2 == 1`},
		{&writevSample, `args.vec[*].iov_base contains "d"`},
		{&connectIP, `args.uservaddr.sin_addr == "10.0.0.1"`},
		{&openatSample, `region == "parse" and stack has "main"`},
	} {
		p := compile(t, tt.text)
		entry := tt.call.env(t)
		exit := tt.call.env(t)
		tt.call.exit(exit)
		if n := testing.AllocsPerRun(100, func() {
			p.Entry(entry)
			p.Exit(exit)
		}); n != 0 && !(raceDetector && strings.Contains(tt.text, "=~")) {
			t.Errorf("%s: %v allocations", tt.text, n)
		}
	}
}

func BenchmarkEntry(b *testing.B) {
	for _, bb := range []struct{ name, text string }{
		{"number", `args.flags has O_CREAT`},
		{"two numbers", `args.flags has O_CREAT and args.dfd == AT_FDCWD`},
		{"other call", `name == read and args.count > 1`},
		{"glob", `args.filename glob "/etc/*"`},
		{"equal text", `args.filename == "/etc/passwd"`},
		{"regexp", `args.filename =~ /^\/etc\//`},
	} {
		b.Run(bb.name, func(b *testing.B) {
			p := compile(b, bb.text)
			env := openatSample.env(b)
			for b.Loop() {
				p.Entry(env)
			}
		})
	}
}

// BenchmarkCompile is what a condition costs at the start.
func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		e, err := Parse(`args.filename glob "/etc/*" and args.flags has O_CLOEXEC`)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := e.Compile(Table{}); err != nil {
			b.Fatal(err)
		}
		e.Reach(Table{})
	}
}
