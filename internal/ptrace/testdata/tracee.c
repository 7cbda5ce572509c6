// A program to be traced: argv[1] says what it does. It writes a line to standard output when it is ready and
// reads a byte from standard input before it goes on, so that a test never has to guess how far it is.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

static void ready(const char *line)
{
	char buf[256];
	int n = snprintf(buf, sizeof buf, "%s\n", line);
	if (write(1, buf, n) != n)
		_exit(90);
}

static void await(void)
{
	char c;
	while (read(0, &c, 1) < 0 && errno == EINTR)
		;
}

static void mode_calls(void)
{
	ready("ready");
	await();
	for (int i = 0; i < 3; i++)
		syscall(SYS_getppid);
	syscall(SYS_close, 0xffffffff12345678);
	_exit(7);
}

static void mode_many(long n)
{
	ready("ready");
	await();
	for (long i = 0; i < n; i++)
		syscall(SYS_getppid);
	_exit(0);
}

static void mode_loop(void)
{
	ready("ready");
	for (;;)
		__asm__ volatile("" ::: "memory");
}

static void mode_sleep(void)
{
	ready("ready");
	for (;;)
		pause();
}

static void handler(int sig) { (void)sig; }

static volatile sig_atomic_t got_value = -1, got_signo = -1;
static void info_handler(int sig, siginfo_t *si, void *ctx)
{
	(void)ctx;
	got_signo = sig;
	got_value = si->si_value.sival_int;
}

static void install(int sig)
{
	struct sigaction sa = { .sa_sigaction = info_handler, .sa_flags = SA_SIGINFO };
	sigaction(sig, &sa, NULL);
}

// Each way of sending a signal that siginfo tells apart, in a fixed order; exits with the value that the first brought.
static void mode_signals(void)
{
	install(SIGUSR1);
	install(SIGUSR2);
	install(SIGALRM);
	signal(SIGCHLD, handler);
	ready("ready");
	await();
	sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 41 });
	int first = got_value;
	kill(getpid(), SIGUSR2);

	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM, .sigev_value.sival_int = 99 };
	timer_t timer;
	struct itimerspec when = { .it_value.tv_nsec = 1000 };
	got_signo = -1;
	if (timer_create(CLOCK_MONOTONIC, &ev, &timer) || timer_settime(timer, 0, &when, NULL))
		_exit(91);
	while (got_signo != SIGALRM)
		;
	pid_t child = fork();
	if (child == 0)
		_exit(3);
	waitpid(child, NULL, 0);
	_exit(first);
}

// Signals that stay queued: two to the process, one to the thread.
static void mode_queue(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 11 });
	sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 22 });
	syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
	ready("ready");
	await();
	_exit(0);
}

static void mode_fault(void)
{
	ready("ready");
	await();
	*(volatile int *)0x1234 = 1;
}

static void mode_trap(void)
{
	ready("ready");
	await();
#if defined(__x86_64__)
	__asm__ volatile("mov $0x1111, %%r12\n\tmov $0x2222, %%r13\n\tint3\n\tnop" ::: "r12", "r13", "memory");
#else
	__builtin_trap();
#endif
	_exit(0);
}

static void mode_stop(void)
{
	ready("ready");
	await();
	raise(SIGSTOP);
	_exit(5);
}

// Memory with holes: page 0 writable, 1 not mapped, 2 read-only, 3 not accessible, 4 writable, 5 not mapped.
static void mode_memory(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 6 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (long i = 0; i < 6 * page; i++)
		p[i] = (char)(i % 251 + 1);
	memcpy(p + page - 6, "hello", 6);
	memcpy(p + 2 * page - 4, "gone", 4);
	memcpy(p + 3 * page - 8, "no end..", 8);
	mprotect(p + 2 * page, page, PROT_READ);
	mprotect(p + 3 * page, page, PROT_NONE);
	munmap(p + page, page);
	munmap(p + 5 * page, page);
	char line[64];
	snprintf(line, sizeof line, "%lx", (unsigned long)p);
	ready(line);
	await();
	_exit((unsigned char)p[8]);
}

static void mode_filter(void)
{
	struct sock_filter prog[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 0x1234),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog fprog = { sizeof prog / sizeof *prog, prog };
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &fprog))
		_exit(91);
	ready("ready");
	await();
	syscall(SYS_getppid);
	_exit(6);
}

static volatile char selector;
static void mode_sud(void)
{
	char line[64];
	snprintf(line, sizeof line, "%lx", (unsigned long)&selector);
	ready(line);
	await();
	_exit(0);
}

static void *thread(void *arg)
{
	(void)arg;
	return NULL;
}

static void mode_events(char **argv)
{
	ready("ready");
	await();
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	pid = vfork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	pthread_t t;
	pthread_create(&t, NULL, thread, NULL);
	pthread_join(t, NULL);
	execl("/proc/self/exe", argv[0], "leave", NULL);
	_exit(92);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	if (!strcmp(mode, "calls")) mode_calls();
	if (!strcmp(mode, "many")) mode_many(atol(argv[2]));
	if (!strcmp(mode, "loop")) mode_loop();
	if (!strcmp(mode, "sleep")) mode_sleep();
	if (!strcmp(mode, "signals")) mode_signals();
	if (!strcmp(mode, "queue")) mode_queue();
	if (!strcmp(mode, "fault")) mode_fault();
	if (!strcmp(mode, "trap")) mode_trap();
	if (!strcmp(mode, "stop")) mode_stop();
	if (!strcmp(mode, "memory")) mode_memory();
	if (!strcmp(mode, "filter")) mode_filter();
	if (!strcmp(mode, "sud")) mode_sud();
	if (!strcmp(mode, "events")) mode_events(argv);
	if (!strcmp(mode, "leave")) _exit(4);
	return 99;
}
