package cli

// injectionRows are command lines that change calls.
var injectionRows = rowsOf(
	// The examples of strace's manual page, with calls that the fixture makes.
	rows("calls", "-e trace=openat -e inject=openat:error=ENOENT:when=1", "-e trace=write,openat -e fault=openat:when=1",
		"-e inject=write:error=EIO:when=2 +io", "-e inject=read,write:error=EINTR:when=1 +io", "-e inject=read:retval=0 +io",
		"-e trace=write -e inject=all:error=EPERM:when=2", "-e fault=write:error=ENOSPC:when=2..3 +io"),
	// Every form of when=, for each call by itself.
	rows("many", "-e trace=getppid -e inject=getppid:retval=1:when=3", "-e trace=getppid -e inject=getppid:retval=1:when=3+",
		"-e trace=getppid -e inject=getppid:retval=1:when=3+2", "-e trace=getppid -e inject=getppid:retval=1:when=3..6",
		"-e trace=getppid -e inject=getppid:retval=1:when=3..9+3", "-e trace=getppid -e inject=getppid:retval=1:when=2..2",
		"-e trace=getppid -e inject=getppid:retval=-1:when=2", "-e trace=getppid -e inject=getppid:retval=0x123456789:when=2",
		"-e trace=getppid -e inject=getppid:error=4095:when=2", "-e trace=getppid -e inject=getppid:error=ERESTARTSYS:when=2",
		"-e trace=getppid -e inject=getppid:retval=7:syscall=getpid:when=2", "-e trace=getppid -e fault=getppid:syscall=getuid:when=2",
		"-e trace=getppid -e raw=getppid -e inject=getppid:retval=77:when=2", "-e trace=getppid -X raw -e inject=getppid:error=EPERM:when=2",
		"-e trace=getppid -z -e inject=getppid:error=EPERM:when=2", "-e trace=getppid -Z -e inject=getppid:error=EPERM:when=2",
		"-e trace=getppid -a 0 -n -e inject=getppid:retval=1:when=2:delay_exit=1", "-e trace=getppid -o out -e inject=getppid:error=EPERM:when=2"),
	tables("many", "-c -e trace=getppid -e inject=getppid:error=EPERM:when=3+", "-C -e trace=getppid -e inject=getppid:error=EPERM:when=3+"),
	// Memory.
	rows("calls", "-e inject=write:poke_enter=@arg2=4142:when=1 +io", "-e inject=read:poke_exit=@arg2=4142:when=1 +io",
		"-e inject=read:poke_exit=@arg2=4142:retval=2:when=1 +io", "-e inject=write:poke_enter=@arg1=41,@arg2=42:when=1 +io",
		"-e inject=write:poke_enter=@arg7=41,@arg2=42:when=1 +io", "-e inject=write:poke_exit=@arg5=41,@arg1=42:when=1 +io",
		"-e inject=write:poke_enter=@arg2=4142:error=EIO:delay_exit=1:when=1 +io"),
	// Time.
	timed("hello", "-T -e inject=write:delay_enter=20ms +io", "-T -e inject=write:delay_exit=20ms +io", "-r -T -e inject=write:delay_enter=5ms:delay_exit=5ms +io"),
	// Signals.
	rows("many", "-e trace=getppid -e inject=getppid:signal=CHLD:when=2", "-e trace=getppid -e inject=getppid:signal=USR1:when=2",
		"-e trace=getppid -e inject=getppid:signal=KILL:when=2", "-e trace=getppid -e inject=getppid:signal=URG:error=EPERM:when=2..3",
		"-e trace=getppid -e inject=getppid:signal=34:when=2"),
	// The last injection for a call counts, and only calls that are shown are changed.
	rows("calls", "-e inject=write:error=EIO -e inject=write:delay_exit=1 +io", "-e inject=read,write:error=EIO:when=1 -e inject=write:error=EPERM:when=1 +io",
		"-e trace=read -e inject=write:error=EIO", "-e trace=none -e inject=write:error=EIO"),
	rows("paths", "-P /dev/zero -e inject=read:error=EIO:when=1", "-P /nosuch -e inject=all:error=EIO"),
	// Several threads and processes: each counts for itself.
	rows("threads", "-f -e trace=getppid,write -e inject=getppid:error=EPERM:when=1"),
	rows("forks", "-f -e trace=getppid -e inject=getppid:retval=1:when=1", "-ff -o out -e trace=getppid -e inject=getppid:retval=1:when=1"),
	rows("exec-fail", "-f -e trace=execve -e inject=execve:error=EAGAIN", "-e trace=execve -e inject=execve:error=EAGAIN:when=1"),
	rows("modes", "-q -e trace=getppid,getpid -e inject=getpid:retval=5:when=1", "-q -e trace=getppid,getpid -e inject=getppid:error=EPERM:when=1..9"),
	rows("$exit 7", "-e trace=exit_group -e inject=exit_group:error=EIO:when=1", "-e trace=execve -e inject=execve:error=ENOENT"),
	unlike("strace loses the signal where its filter stops the call",
		rows("many", "-f --seccomp-bpf -e trace=getppid -e inject=getppid:signal=USR1:when=2")),
)
