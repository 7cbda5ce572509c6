// Situations in which a thread comes into the function "inner", or leaves it, in unusual ways. Calls made inside use the numbers
// of getppid and getpgrp; calls outside that of getuid, which must never be seen.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void in(void) { syscall(SYS_getppid); }
static void out(void) { syscall(SYS_getuid); }

static void (*inside)(long);
static char **args;

__attribute__((noinline)) long inner(long n) {
	in();
	if (inside)
		inside(n);
	in();
	return n + 1;
}

static jmp_buf env;
static void jump(long n) {
	if (n == 2)
		longjmp(env, 1);
}
static void longjmp_case(void) {
	inside = jump;
	if (setjmp(env) == 0)
		inner(2);
	out();
	inner(3);
	out();
}

__attribute__((noinline)) long tail(long n) {
	if (n == 0)
		return inner(10);
	asm volatile("" ::: "memory");
	return tail(n - 1);
}

static volatile sig_atomic_t handled;
static void handler(int s) {
	handled++;
	syscall(SYS_getpgrp);
}
static void signals(long n) { raise(SIGUSR1); }
static void signal_case(void) {
	struct sigaction a = {.sa_handler = handler};
	sigaction(SIGUSR1, &a, 0);
	inside = signals;
	inner(1);
	out();
	raise(SIGUSR1); // outside
	out();
}
// The handler's stack is above and below the thread's.
static void altstack_case(void) {
	static char stack[1 << 16];
	for (int i = 0; i < 2; i++) {
		stack_t ss = {.ss_sp = i ? mmap((void *)0x7ffff000000, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) : stack, .ss_size = 1 << 16};
		sigaltstack(&ss, 0);
		struct sigaction a = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
		sigaction(SIGUSR1, &a, 0);
		inside = signals;
		inner(1);
		out();
	}
}

static void forks(long n) {
	pid_t p = fork();
	if (p == 0) {
		in();
		return; // inside
	}
	waitpid(p, 0, 0);
}
static void fork_case(void) {
	pid_t me = getpid();
	inside = forks;
	inner(1);
	out();
	if (getpid() != me) {
		inside = 0;
		inner(5);
		_exit(0);
	}
}

// A child that is not followed must not find breakpoints.
static void fork_outside(void) {
	pid_t p = fork();
	if (p == 0) {
		for (int i = 0; i < 10; i++)
			inner(i);
		_exit(7);
	}
	int st;
	waitpid(p, &st, 0);
	if (!WIFEXITED(st) || WEXITSTATUS(st) != 7)
		abort();
	inner(1);
	out();
}

static void vforks(long n) {
	pid_t p = vfork();
	if (p == 0) {
		syscall(SYS_getpgrp);
		_exit(0);
	}
	waitpid(p, 0, 0);
}
static void vfork_case(void) {
	inside = vforks;
	inner(1);
	inside = 0;
	out();
	pid_t p = vfork();
	if (p == 0) {
		inner(4); // in the parent's memory, with its breakpoints
		_exit(0);
	}
	int st;
	waitpid(p, &st, 0);
	if (st != 0)
		abort();
	inner(5);
	char *argv[] = {"true", 0}, *envp[] = {0};
	if (posix_spawn(&p, "/bin/true", 0, 0, argv, envp) || waitpid(p, &st, 0) != p || st != 0)
		abort();
	out();
}

static void execs(long n) {
	if (n == 1)
		execl(args[0], args[0], "plain", (char *)0);
	abort();
}
static void exec_case(void) {
	inside = execs;
	inner(1);
}

static void exits(long n) { exit(3); }
static void exit_case(void) {
	atexit(in);
	inside = exits;
	inner(1);
}

static void *thread(void *p) {
	out();
	syscall(SYS_getpgrp);
	return p;
}
static void threads(long n) {
	pthread_t t;
	pthread_create(&t, 0, thread, 0);
	pthread_join(t, 0);
}
static void threads_case(void) {
	inside = threads;
	inner(1);
	out();
}

// The program's own breakpoint instructions reach it.
static void trapped(int s) { handled++; }
static void int3_case(void) {
	struct sigaction a = {.sa_handler = trapped};
	sigaction(SIGTRAP, &a, 0);
	for (int i = 0; i < 5; i++)
		asm volatile("int3");
	inner(1);
	raise(SIGTRAP);
	if (handled != 6)
		abort();
	out();
}

// Signals arrive all the time, also while instructions at breakpoints are executed elsewhere.
static void *pester(void *p) {
	for (int i = 0; i < 3000; i++)
		syscall(SYS_tgkill, getpid(), *(pid_t *)p, i % 2 ? SIGUSR1 : SIGRTMIN);
	return 0;
}
static volatile long bad;
static void check(int s, siginfo_t *info, void *u) {
	ucontext_t *c = u;
	Dl_info d;
	unsigned long pc = c->uc_mcontext.gregs[REG_RIP];
	if (!dladdr((void *)pc, &d))
		bad++;
	handled++;
}
static void storm_case(void) {
	pid_t me = syscall(SYS_gettid);
	struct sigaction a = {.sa_sigaction = check, .sa_flags = SA_SIGINFO | SA_RESTART};
	sigaction(SIGUSR1, &a, 0);
	sigaction(SIGRTMIN, &a, 0);
	pthread_t t;
	pthread_create(&t, 0, pester, &me);
	for (int i = 0; i < 2000; i++)
		inner(i);
	pthread_join(t, 0);
	if (bad)
		abort();
	out();
}

static void dlopen_case(void) {
	for (int i = 0; i < 2; i++) {
		void *h = dlopen(args[2], RTLD_NOW);
		if (!h)
			abort();
		long (*f)(long) = dlsym(h, "plugin");
		f(i);
		dlclose(h);
		out();
	}
}

// Registers and flags are the same behind a breakpoint.
static void many_case(void) {
	long sum = 0;
	for (int i = 0; i < 200; i++)
		sum += inner(i);
	if (sum != 200 * 199 / 2 + 200)
		abort();
	out();
}

static void plain(void) {
	inner(8);
	out();
}

static void wait_case(void) {
	printf("ready\n");
	fflush(stdout);
	char c;
	while (read(0, &c, 1) == 1) {
		inner(c);
		out();
		printf("done\n");
		fflush(stdout);
	}
}

static void reads(long n) {
	char c;
	printf("inside\n");
	fflush(stdout);
	if (read(0, &c, 1) != 1)
		exit(4);
	in();
}
static void waitinside_case(void) {
	inside = reads;
	inner(1);
	inside = 0;
	out();
	inner(2);
	wait_case();
}

int main(int argc, char **argv) {
	args = argv;
	static struct {
		const char *name;
		void (*f)(void);
	} cases[] = {{"plain", plain}, {"longjmp", longjmp_case}, {"signal", signal_case}, {"altstack", altstack_case},
		     {"fork", fork_case}, {"forkoutside", fork_outside}, {"vfork", vfork_case}, {"exec", exec_case}, {"exit", exit_case},
		     {"threads", threads_case}, {"int3", int3_case}, {"storm", storm_case}, {"dlopen", dlopen_case}, {"many", many_case},
		     {"wait", wait_case}, {"waitinside", waitinside_case}};
	out();
	if (argc > 1 && !strcmp(argv[1], "tail")) {
		if (tail(argc > 2 ? atol(argv[2]) : 0) != 11)
			return 1;
		out();
		return 0;
	}
	for (unsigned i = 0; argc > 1 && i < sizeof cases / sizeof *cases; i++)
		if (!strcmp(argv[1], cases[i].name)) {
			cases[i].f();
			out();
			return 0;
		}
	return 99;
}
