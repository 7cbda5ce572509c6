package cli

import "strings"

// A conformanceRow is a command line of which farcall and the machine's strace must make the same, to the character,
// once process ids and addresses have been replaced: standard output and error, every file, and the status.
type conformanceRow struct {
	options string // separated by spaces, "␣" stands for a space within one; "+quiet" for the option quiet
	program string // of testdata/fixture.c, with its arguments; with "$" in front a command line for sh
	times   bool   // times are replaced by their form
	// joined: unfinished and resumed lines are put together and threads compared each by itself, as the
	// scheduler decides on the rest.
	joined  bool
	table   bool   // lines are compared without order, numbers by their form
	differs string // why the two are not alike; such a row fails when they are
}

func (r conformanceRow) name() string { return r.program + " " + r.options }

func (r conformanceRow) argv(fixture string) []string {
	words := strings.Fields(strings.NewReplacer("+quiet", quiet, "+io", basic).Replace(r.options))
	for i, w := range words {
		words[i] = strings.ReplaceAll(w, "␣", " ")
	}
	if command, ok := strings.CutPrefix(r.program, "$"); ok {
		return append(words, "sh", "-c", command)
	}
	return append(append(words, fixture), strings.Fields(r.program)...)
}

// basic are calls that any program makes on purpose.
const basic = "-e trace=read,write,close,lseek,getppid"

// quiet leaves out what the start of a static program and the fixture's own waiting do.
const quiet = "-e !openat,close,pread64,sched_yield,brk,mprotect,arch_prctl,set_tid_address,set_robust_list,rseq,mmap,munmap," +
	"prlimit64,getrandom,readlinkat,readlink,rt_sigprocmask,futex,madvise,newfstatat,fstat,execve,clone,clone3,rt_sigaction"

func rows(program string, options ...string) (out []conformanceRow) {
	for _, o := range options {
		out = append(out, conformanceRow{options: o, program: program})
	}
	return out
}

func timed(program string, options ...string) []conformanceRow {
	out := rows(program, options...)
	for i := range out {
		out[i].times = true
	}
	return out
}

func joined(program string, options ...string) []conformanceRow {
	out := rows(program, options...)
	for i := range out {
		out[i].joined = true
	}
	return out
}

func tables(program string, options ...string) []conformanceRow {
	out := rows(program, options...)
	for i := range out {
		out[i].table = true
	}
	return out
}

func unlike(reason string, list []conformanceRow) []conformanceRow {
	for i := range list {
		list[i].differs = reason
	}
	return list
}

func rowsOf(lists ...[]conformanceRow) (out []conformanceRow) {
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

var conformanceRows = rowsOf(
	// Lines of calls.
	rows("calls", "+io", "-f +io", "-e trace=write", "-e trace=none", "-v +io", "-s 5 +io", "-s 0 +io", "-s 3 -v +io", "-x +io", "-xx +io", "--strings-in-hex=non-ascii-chars +io", "-X raw +io", "-X verbose +io", "-X abbrev +io", "-a 0 +io", "-a 20 +io", "-a 80 +io", "-n +io", "-i +io", "-n -i -a 100 +io", "-e raw=all +io", "-e raw=write,fcntl +io", "-e verbose=none +io", "-e verbose=!pipe2 +io", "-e abbrev=none +io", "-z +io", "-Z +io", "-e status=none +io", "-e status=failed,unfinished +io", "-e status=successful +io", "-e signal=none +io", "-q +io", "-qq +io", "-qqq +io", "--quiet=exit +io", "-f -qq +io", "-e trace=!write,read", "-e trace=/^w", "-e trace=%desc", "-e trace=%desc@32", "-X raw -e raw=open +io", "-xx -s 2 +io"),
	// Where the trace goes.
	rows("calls", "-o out +io", "-f -o out +io", "-ff -o out +io", "-A -o out +io", "-o |cat>x +io", "-o !cat>x +io", "-o |cat>x;exit␣3 +io", "--output-separately -o out +io", "-f --seccomp-bpf -o out +io", "-f --seccomp-bpf -e trace=write,kill", "-qq -o out +io", "-f -qq -o out +io"),
	rows("hello", "-o /dev/full", "-o |true", "-o |exit␣1", "-o /proc/version", "-ff -o /dev/full"),
	unlike("farcall opens the first file before it starts the program", rows("hello", "-ff -o /nosuch/dir")),
	rows("many", "-o /dev/full", "-o |head␣-c10"),
	// Times.
	timed("hello", "-t +io", "-tt +io", "-ttt +io", "-r +io", "-r -t +io", "-tt -r +io", "-ttt -r +io", "-T +io", "--timestamps=ns +io", "--timestamps=unix,ms +io",
		"--timestamps=unix,s +io", "--relative-timestamps=s +io", "--relative-timestamps=ms +io", "--relative-timestamps=ns -t +io", "-T -i +io",
		"--syscall-times=s +io", "--syscall-times=ms +io", "--syscall-times=us +io", "--syscall-times=ns +io", "-tT -n -i +io", "-ttt -f -o out +io", "-r -T -qq -z +io",
		"-tt -z -T +io", "-r -Z +io", "-T -e raw=all +io"),
	// Signals and ends.
	rows("signals", "+quiet", "+quiet -X raw", "+quiet -X verbose", "+quiet -e signal=USR1", "+quiet -e signal=!USR1", "-e trace=none",
		"-e trace=none -n -i", "-e trace=kill -e signal=none", "-n -i -f +quiet", "-c -e trace=none"),
	rows("die 9", "-e trace=tgkill", "-e trace=none -o out", "-f -e trace=tgkill", "-e trace=none -q", "-qq -e trace=none", "-qqq -e trace=none"),
	rows("die 15", "-e trace=tgkill", "-e trace=tgkill -X raw", "-e signal=none -e trace=none"),
	rows("die 6", "-e trace=none"), rows("die 64", "-e trace=none"), rows("die 35", "-e trace=none"),
	rows("core", "-e trace=none"), rows("segv", "-e trace=none", "-e trace=none -X verbose"),
	rows("interrupted", "+quiet", "+quiet -e status=unavailable", "+quiet -Z", "+quiet -a 0 -n", "+quiet -f -o out"),
	// Several threads and processes.
	rows("threads", "-f -e trace=read,getppid,write,exit", "-f -e trace=read,getppid,write -o out", "-ff -e trace=read,getppid,write -o out",
		"-f -z -e trace=read,getppid,write", "-f -Z -e trace=read,getppid,write", "-f -n -i -e trace=read,getppid,write",
		"-f -a 10 -e trace=read,getppid,write", "-f -a 70 -e trace=read,getppid,write", "-e trace=read,getppid,write",
		"-f -qq -e trace=read,getppid,write", "-f -q -e trace=read,getppid,write", "-f -e raw=all -e trace=read,getppid,write",
		"-f -x -e trace=read"),
	timed("threads", "-f -t -e trace=read,getppid,write", "-f -r -e trace=read,getppid,write", "-f -T -e trace=read,getppid,write",
		"-f -T -r -tt -o out -e trace=read,getppid,write", "-f -T -ttt -z -e trace=read,write"),
	joined("threads", "-f -o out +quiet", "-ff -o out +quiet"),
	rows("blocked-exit", "-f -e trace=read,getppid,exit_group", "-f -e trace=read,getppid,exit_group -o out", "-ff -e trace=read,exit_group -o out",
		"-f -z -e trace=read,getppid,exit_group", "-f -e status=unfinished -e trace=read,getppid,exit_group", "-f -Z -e trace=read,exit_group",
		"-f -e trace=read,pause", "-e trace=read,exit_group", "-f -e raw=read -e trace=read,exit_group", "-f -e trace=read -n -a 60",
		"-f --quiet=exit -e trace=read,exit_group"),
	timed("blocked-exit", "-f -T -e trace=read,getppid,exit_group", "-f -tt -e trace=read"),
	joined("blocked-exit", "-f -o out +quiet"),
	rows("blocked-kill 15", "-f -e trace=read,kill", "-f -e trace=kill -o out"),
	rows("blocked-kill 6", "-f -e trace=read -o out"),
	joined("blocked-kill 9", "-f -e trace=read,kill -o out", "-ff -e trace=read -o out"),
	rows("child-killed 15", "-f -e trace=read,getppid", "-f -e trace=read,getppid -o out"),
	joined("child-killed 9", "-f -e trace=read,getppid,kill -o out", "-ff -o out +quiet"),
	rows("exec-thread", "-f -e trace=read,execve,write -o out", "-ff -e trace=read,execve,write -o out", "-f -e trace=read,execve,write -q",
		"-f -e trace=read -q", "-f -e trace=execve -q", "-f -e quiet=thread-execve,attach -e trace=read,execve", "-f -z -e trace=read,execve -q",
		"-f -e status=unfinished -e trace=read,execve -q", "-ff -qq -o out -e trace=execve,write", "-f -qqq -e trace=read,execve"),
	rows("exec-leader", "-f -e trace=read,write,execve -q", "-f -e trace=read,execve -o out", "-ff -e trace=read,execve -o out"),
	rows("exec-fail", "-f -e trace=execve", "-e trace=execve", "-b execve -e trace=execve", "-f -b execve -e trace=execve,write -o out",
		"-b execve -e status=detached -e trace=execve", "-b execve -e status=successful -e trace=execve", "-b execve -qq -e trace=execve",
		"-b execve -ff -e trace=execve,write -o out"),
	rows("vfork", "-e trace=vfork,execve,wait4,write", "-f -e trace=write,wait4 -q", "-f -e trace=write -o out", "-b execve -f -e trace=write -q",
		"-b execve -f -e trace=write -o out"),
	joined("vfork", "-f -o out +quiet", "-ff -o out", "-f -o out", "-f -b execve -o out"),
	rows("forks", "-f -e trace=getppid", "-f -e trace=getppid -o out", "-ff -e trace=getppid,exit_group -o out", "-f -e trace=none",
		"-f -e trace=none -o out", "-e trace=getppid,exit_group", "-f -q -e trace=getppid", "-f -qq -e trace=getppid", "-f -n -i -e trace=getppid"),
	joined("forks", "-f -o out +quiet", "-ff -o out", "-f -o out", "-f -z -o out", "-f -Z -o out", "-f -e status=unfinished -o out"),
	joined("stopped 19", "-f -e trace=tgkill -o out", "-e trace=tgkill", "-f -e trace=none -o out", "-f -e signal=!STOP -e trace=none -o out", "-f -n -i -e trace=none -o out"),
	joined("stopped 20", "-f -e trace=none -o out", "-e trace=none -e signal=TSTP"),
	rows("restarted", "-e trace=read", "-f -e trace=read,kill -o out -e signal=none"),
	rows("restarted 1", "-e trace=clock_nanosleep,restart_syscall,wait4", "-e trace=restart_syscall", "-e raw=all -e trace=clock_nanosleep,restart_syscall"),
	// Modes of the processor.
	rows("modes", "-e trace=getppid,getpid", "-f -e trace=getppid,getpid -o out", "-q -e trace=getpid", "-qq -e trace=getppid,getpid",
		"-e quiet=personality -e trace=getppid,getpid", "-n -i -e trace=getppid,getpid",
		"-qqq -e trace=getppid,getpid"),
	unlike("calls that are not wanted do not stop the program, so a change of mode shows at the next that is",
		rows("modes", "-e trace=getppid@32", "-e trace=getppid@64")),
	// Data.
	rows("dumps", "-e read=all -e write=all -e trace=write,read,readv,writev,pread64,pwrite64,preadv,pwritev", "-e write=9 -e trace=write",
		"-e read=8 -e trace=read", "-e read=8 -e write=9 -e trace=sendto,recvfrom", "-e write=9 -e trace=sendmsg,sendmmsg",
		"-e read=8 -e trace=recvmsg,recvmmsg", "-s 3 -e read=8 -e write=9 -e trace=write,read,readv,writev", "-e read=!8 -e trace=read",
		"-e write=9 -e trace=write -o out", "-f -e write=9 -e trace=write -o out", "-e raw=write -e write=9 -e trace=write"),
	timed("dumps", "-tt -T -e write=9 -e trace=write"),
	// Files.
	rows("paths", "-P /dev/zero", "-P /dev/zero -P /dev/full", "-P /nosuch", "-P zero", "-P /dev/../dev/zero", "-P /dev/zero -e trace=read",
		"-P /dev/zero -f -o out", "-P /dev/zero -qqq", "-P /dev/zero -z", "-P /dev", "-P /dev/stdin", "-q -P /dev/stdin"),
	// The program's surroundings.
	rows("env", "-e trace=none -E FIX_A=1 -E FIX_B=2=3", "-e trace=none -E FIX_OUTER", "-e trace=none -E FIX_OUTER=x -E FIX_NEW=␣", "-e trace=none -u nobody",
		"-e trace=none -f -u daemon -o out", "-e trace=none -u root"),
	rows("mask", "-e trace=none", "-f -e trace=none -o out", "-ff -e trace=none -o out", "-e trace=none -o |cat", "-f --seccomp-bpf -e trace=getsid",
		"-I 1 -e trace=none", "-I 4 -e trace=none"),
	// Tables.
	tables("calls", "-c", "-C", "-c -w", "-f -c", "-c -o out", "-C -o out", "-c -S calls", "-c -S name", "-c -S errors", "-c -S none", "-c -U name,calls",
		"-c -U calls,name,errors", "-c -U name", "-c -U time-percent,total-time,min-time,max-time,avg-time,calls,errors,name",
		"-c -U errors", "-c -U min-time,max-time", "-c -e trace=none", "-c -e trace=write", "-C -e trace=write", "-c -z", "-c -Z -w", "-c -w -S max-time",
		"-c -O 1s", "-c -w -O 1s -U all-time", "-c -qq", "-C -qq -e trace=write", "-c -i", "-C -f -e trace=write -o out"),
	tables("many", "-c -w -e trace=getppid"),
	tables("modes", "-c", "-c -e trace=getppid,getpid", "-C -e trace=getppid,getpid", "-c -U name,calls", "-c -w -e trace=getppid -U calls,name", "-c -o out"),
	tables("threads", "-f -c -e trace=read,write,getppid", "-c -w -f -e trace=read,write"),
	tables("blocked-exit", "-f -c -e trace=read,exit_group", "-f -C -e trace=read,exit_group -o out"),
	tables("exec-thread", "-f -c -e trace=read,execve"),
	tables("die 15", "-c -e trace=tgkill"),
	// Programs that are none.
	rows("$exit 7", "-e trace=none", "-qq -e trace=none", "-e trace=exit_group"),
	rows("$kill -USR1 $$", "-e trace=none"),
	rows("$kill -PIPE $$", "-e trace=none", "-f -e trace=none -o out"),
)
