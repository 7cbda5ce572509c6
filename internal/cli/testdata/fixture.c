// The programs whose traces options_conformance_test.go compares: one for each row of "programs" below, chosen by
// argv[1]. They make few calls, in an order that does not depend on the scheduler as far as the trace shows them:
// "settle" waits, by calls that the tests leave out of the trace, until a thread sleeps in its call.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char **args;

static int gettid_(void) { return syscall(SYS_gettid); }

// settle returns when thread tid sleeps in the system call nr.
static void settle(int tid, long nr)
{
	char name[64], b[256], want[32];
	snprintf(name, sizeof name, "/proc/%d/syscall", tid);
	int n = snprintf(want, sizeof want, "%ld ", nr);
	for (int i = 0; i < 100000; i++) {
		int fd = open(name, O_RDONLY);
		ssize_t k = fd < 0 ? -1 : pread(fd, b, sizeof b - 1, 0);
		close(fd);
		if (k > n && !memcmp(b, want, n)) {
			char stat[64];
			snprintf(stat, sizeof stat, "/proc/%d/stat", tid);
			fd = open(stat, O_RDONLY);
			k = pread(fd, b, sizeof b - 1, 0);
			close(fd);
			b[k > 0 ? k : 0] = 0;
			char *p = strrchr(b, ')');
			if (p && p[2] == 'S')
				return;
		}
		sched_yield();
	}
	_exit(99);
}

static int hello(void)
{
	write(1, "hello\n", 6);
	return 3;
}

static int calls(void)
{
	char b[16];
	int p[2];
	write(1, "one\ttwo\1\377\n", 10);
	write(1, "\0012\0019 \"quoted\" back\\slash\n", 25);
	write(1, "0123456789012345678901234567890123456789\n", 41);
	write(-1, "x", 1);
	close(77);
	open("/nonexistent\n/file", O_RDONLY | O_CLOEXEC);
	int fd = open("/dev/null", O_WRONLY | O_CREAT | O_APPEND, 0644);
	write(fd, "", 0);
	close(fd);
	pipe(p);
	write(p[1], "pipe data", 9);
	read(p[0], b, sizeof b);
	lseek(p[0], 0, SEEK_CUR);
	getppid();
	syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	syscall(777, 1, 2, 3, 4, 5, 6);
	syscall(SYS_kill, getpid(), 0);
	syscall(SYS_fcntl, 0, F_GETFD);
	syscall(SYS_umask, 022);
	syscall(SYS_setrlimit, RLIMIT_CORE, &(struct rlimit){0, 0});
	return 0;
}

static int dumps(void)
{
	int p[2], s[2];
	char b[64], c[64];
	for (int i = 0; i < (int)sizeof b; i++)
		b[i] = i * 4;
	pipe(p);
	dup2(p[1], 9);
	dup2(p[0], 8);
	write(9, "hello, world\n\0\177\200end", 19);
	read(8, c, sizeof c);
	write(9, b, sizeof b);
	read(8, c, 5);
	struct iovec v[3] = {{b, 3}, {b, 0}, {b + 20, 20}}, w[2] = {{c, 40}, {c + 40, 24}};
	writev(9, v, 3);
	readv(8, w, 2);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
	dup2(s[0], 9);
	dup2(s[1], 8);
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 3}, r = {.msg_iov = w, .msg_iovlen = 2};
	send(9, "sent", 4, 0);
	recv(8, c, sizeof c, 0);
	sendmsg(9, &m, 0);
	recvmsg(8, &r, 0);
	struct mmsghdr mm[2] = {{.msg_hdr = m}, {.msg_hdr = m}}, rr[2] = {{.msg_hdr = r}, {.msg_hdr = r}};
	sendmmsg(9, mm, 2, 0);
	recvmmsg(8, rr, 2, 0, NULL);
	sendto(9, b, 17, 0, NULL, 0);
	recvfrom(8, c, 16, 0, NULL, NULL);
	write(9, b, -1);
	read(77, (void *)8, 8);
	int fd = open(args[0], O_RDONLY);
	dup2(fd, 8);
	pread(8, c, 4, 1);
	preadv(8, w, 2, 0);
	int o = memfd_create("m", 0);
	dup2(o, 9);
	pwrite(9, "at", 2, 5);
	pwritev(9, v, 3, 1);
	lseek(9, 0, SEEK_SET);
	return 0;
}

static void nothing(int s) { (void)s; }

static void handle(int s, int flags)
{
	struct sigaction a = {.sa_handler = nothing, .sa_flags = flags};
	sigaction(s, &a, NULL);
}

static int signals(void)
{
	handle(SIGUSR1, 0);
	handle(SIGRTMIN + 3, 0);
	signal(SIGUSR2, SIG_IGN);
	raise(SIGUSR1);
	raise(SIGUSR2);
	raise(SIGRTMIN + 3);
	kill(getpid(), SIGUSR1);
	sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 42});
	raise(SIGWINCH);
	return 0;
}

static int die(void) { return raise(atoi(args[0])); }

static int dump_core(void)
{
	chdir("/tmp");
	struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};
	setrlimit(RLIMIT_CORE, &r);
	raise(SIGABRT);
	return 0;
}

static int segv(void) { return *(volatile int *)16; }

// interrupted makes calls that a signal from a timer interrupts: args[0] 1 restarts them.
static void later(void)
{
	struct itimerval t = {.it_value = {0, 30000}};
	setitimer(ITIMER_REAL, &t, NULL);
}

static int interrupted(void)
{
	int p[2];
	char c;
	pipe(p);
	handle(SIGALRM, 0);
	later();
	read(p[0], &c, 1); // EINTR
	later();
	pause();
	later();
	nanosleep(&(struct timespec){5, 0}, NULL);
	later();
	syscall(SYS_futex, &p[1], FUTEX_WAIT, p[1], &(struct timespec){5, 0}, 0, 0);
	return 0;
}

// restarted: a child stops and continues its parent, whose call goes on.
static int restarted(void)
{
	int parent = getpid(), p[2], q[2];
	char c;
	pipe(p);
	pipe(q);
	sigset_t chld;
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL); // it would come before, in or after the wait
	pid_t child = vfork();
	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	sigprocmask(SIG_UNBLOCK, &chld, NULL);
	child = fork();
	if (!child) {
		settle(parent, args[0] ? SYS_clock_nanosleep : SYS_read);
		kill(parent, SIGSTOP);
		char name[64], b[256];
		snprintf(name, sizeof name, "/proc/%d/stat", parent);
		// The stop at which the tracer is told of the signal looks like the one that the signal brings, but is short.
		for (int i = 0, stopped = 0; i < 5000 && stopped < 10; i++) {
			int fd = open(name, O_RDONLY);
			int k = pread(fd, b, sizeof b - 1, 0);
			close(fd);
			b[k > 0 ? k : 0] = 0;
			char *s = strrchr(b, ')');
			stopped = s && (s[2] == 'T' || s[2] == 't') ? stopped + 1 : 0;
			usleep(1000);
		}
		kill(parent, SIGCONT);
		settle(parent, args[0] ? SYS_restart_syscall : SYS_read);
		write(q[1], "x", 1);
		if (args[0])
			settle(parent, SYS_wait4);
		_exit(0);
	}
	if (args[0])
		syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &(struct timespec){0, 400000000}, NULL);
	else
		read(q[0], &c, 1);
	waitpid(child, NULL, 0);
	return 0;
}

static int pipes[2], mainTID, threadTID;
static pthread_barrier_t barrier;

static void *reader(void *arg)
{
	(void)arg;
	char c[8];
	threadTID = gettid_();
	pthread_barrier_wait(&barrier);
	read(pipes[0], c, sizeof c);
	return NULL;
}

// start makes a thread and waits until it blocks in read(2).
static pthread_t start(void)
{
	pthread_t t;
	pipe(pipes);
	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&t, NULL, reader, NULL);
	pthread_barrier_wait(&barrier);
	settle(threadTID, SYS_read);
	return t;
}

static int threads(void)
{
	pthread_t t = start();
	getppid();
	write(pipes[1], "hello", 5);
	pthread_join(t, NULL);
	getppid();
	return 0;
}

static int blocked_exit(void)
{
	start();
	getppid();
	syscall(SYS_exit_group, 7);
	return 0;
}

static int blocked_kill(void)
{
	start();
	getppid();
	kill(getpid(), atoi(args[0]));
	return 0;
}

// child_killed: a child that blocks is killed by its parent.
static int child_killed(void)
{
	pipe(pipes);
	pid_t p = fork();
	if (!p) {
		char c;
		read(pipes[0], &c, 1);
		_exit(0);
	}
	settle(p, SYS_read);
	getppid();
	kill(p, atoi(args[0]));
	waitpid(p, NULL, 0);
	return 0;
}

static char *self, *hello_args[] = {"fixture", "hello", NULL};

static void *executor(void *arg)
{
	threadTID = gettid_();
	settle(mainTID, SYS_read);
	execve(self, hello_args, environ);
	return arg;
}

static int exec_thread(void)
{
	pthread_t t;
	char c;
	pipe(pipes);
	mainTID = gettid_();
	pthread_create(&t, NULL, executor, NULL);
	read(pipes[0], &c, 1);
	return 0;
}

static int exec_leader(void)
{
	start();
	execve(self, hello_args, environ);
	return 0;
}

static int exec_fail(void)
{
	execve("/nonexistent", hello_args, environ);
	execve(self, hello_args, environ);
	return 0;
}

static int vfork_exec(void)
{
	pid_t p = vfork();
	if (!p) {
		execve(self, hello_args, environ);
		_exit(1);
	}
	waitpid(p, NULL, 0);
	return 0;
}

static int forks(void)
{
	for (int i = 0; i < 2; i++) {
		pid_t p = fork();
		if (!p) {
			getppid();
			_exit(i);
		}
		waitpid(p, NULL, 0);
	}
	getppid();
	return 0;
}

// stopped stops itself until its child lets it go on.
static int stopped(void)
{
	int parent = getpid();
	pid_t p = fork();
	if (!p) {
		char name[64], b[256];
		snprintf(name, sizeof name, "/proc/%d/stat", parent);
		for (int i = 0; i < 1000000; i++) {
			int fd = open(name, O_RDONLY);
			int k = pread(fd, b, sizeof b - 1, 0);
			close(fd);
			b[k > 0 ? k : 0] = 0;
			char *s = strrchr(b, ')');
			if (s && (s[2] == 'T' || s[2] == 't'))
				break;
			sched_yield();
		}
		usleep(50000);
		kill(parent, SIGCONT);
		settle(parent, SYS_wait4);
		_exit(0);
	}
	raise(atoi(args[0]));
	waitpid(p, NULL, 0);
	return 0;
}

// modes calls the kernel as a 32-bit program does.
static int modes(void)
{
#ifdef __x86_64__
	long r;
	getppid();
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(64) : "memory", "r8", "r9", "r10", "r11"); // getppid
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20) : "memory", "r8", "r9", "r10", "r11"); // getpid
	getppid();
	for (int i = 0; i < 4; i++)
		getppid();
#endif
	return 0;
}

static int paths(void)
{
	char b[8];
	int p[2];
	int fd = open("/dev/zero", O_RDONLY);
	read(fd, b, 8);
	int d = dup(fd);
	read(d, b, 4);
	open("/dev/full", O_WRONLY);
	pipe(p);
	write(p[1], "x", 1);
	access("/dev/zero", F_OK);
	access("/dev/../dev/zero", F_OK);
	chdir("/dev");
	access("zero", F_OK);
	close(fd);
	read(d, b, 1);
	syscall(SYS_openat, AT_FDCWD, "/dev/zero", O_RDONLY, 0);
	return 0;
}

static int env(void)
{
	for (int i = 0; environ[i]; i++)
		if (!strncmp(environ[i], "FIX_", 4))
			puts(environ[i]);
	printf("%d %d\n", (int)getuid(), (int)getgid());
	return 0;
}

// mask prints what a tracer must leave as it was.
static int mask(void)
{
	sigset_t s;
	sigprocmask(SIG_BLOCK, NULL, &s);
	for (int i = 1; i < 65; i++) {
		struct sigaction a;
		if (sigaction(i, NULL, &a) == 0 && (sigismember(&s, i) == 1 || a.sa_handler != SIG_DFL))
			printf("%d:%d%d ", i, sigismember(&s, i), a.sa_handler == SIG_IGN);
	}
	for (int i = 0; i < 64; i++)
		if (fcntl(i, F_GETFD) >= 0)
			printf("fd%d ", i);
	printf("%d %d\n", getpgrp() == getpid(), getsid(0) == getpid());
	return 0;
}

// many makes many calls, so that the trace fills any buffer.
static int many(void)
{
	for (int i = 0; i < 20000; i++)
		syscall(SYS_getppid);
	return 0;
}

// self_wait waits until somebody ends it; it says so first.
static int waits(void)
{
	write(1, "ready\n", 6);
	for (;;)
		pause();
}

static int catches(void)
{
	handle(SIGINT, 0);
	handle(SIGTERM, 0);
	write(1, "ready\n", 6);
	pause();
	write(1, "caught\n", 7);
	return 5;
}

static const struct {
	const char *name;
	int (*run)(void);
} programs[] = {
	{"hello", hello}, {"calls", calls}, {"dumps", dumps}, {"signals", signals}, {"die", die}, {"core", dump_core},
	{"segv", segv}, {"interrupted", interrupted}, {"restarted", restarted}, {"threads", threads},
	{"blocked-exit", blocked_exit}, {"blocked-kill", blocked_kill}, {"child-killed", child_killed},
	{"exec-thread", exec_thread}, {"exec-leader", exec_leader}, {"exec-fail", exec_fail}, {"vfork", vfork_exec},
	{"forks", forks}, {"stopped", stopped}, {"modes", modes}, {"paths", paths}, {"env", env}, {"mask", mask},
	{"many", many}, {"waits", waits}, {"catches", catches},
};

int main(int argc, char **argv)
{
	self = argv[0];
	args = argv + 2;
	for (size_t i = 0; argc > 1 && i < sizeof programs / sizeof *programs; i++)
		if (!strcmp(argv[1], programs[i].name))
			return programs[i].run();
	return 98;
}
