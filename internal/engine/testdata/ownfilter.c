// Installs seccomp filters of its own (by seccomp(2) with an argument, for another thread too if that is "tsync"): ERRNO for getppid, TRAP for getpgrp, TRACE for getuid, KILL_PROCESS for getgid.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile int trapped;
static void handler(int s, siginfo_t *si, void *u) { trapped = si->si_syscall == SYS_getpgrp; }

#define ON(nr, act) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, act)

static int start[2];
static void *thread(void *p) {
	char c;
	read(start[0], &c, 1);
	syscall(SYS_getppid);
	return 0;
}

int main(int argc, char **argv) {
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ON(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV),
		ON(SYS_getpgrp, SECCOMP_RET_TRAP),
		ON(SYS_getuid, SECCOMP_RET_TRACE | 77),
		ON(SYS_getgid, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = {sizeof f / sizeof *f, f};
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	sigaction(SIGSYS, &sa, 0);
	int tsync = argc > 1 && !strcmp(argv[1], "tsync");
	pthread_t t;
	if (tsync && (pipe(start) || pthread_create(&t, 0, thread, 0)))
		return 3;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (argc > 1 ? syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, tsync ? SECCOMP_FILTER_FLAG_TSYNC : 0, &p) : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p))
		return 1;
	if (tsync) {
		write(start[1], "x", 1);
		pthread_join(t, 0);
	}
	char out[100];
	errno = 0;
	long r = syscall(SYS_getppid);
	int e1 = errno;
	syscall(SYS_getpgrp);
	errno = 0;
	long u = syscall(SYS_getuid);
	int e2 = errno;
	int n = snprintf(out, sizeof out, "errno %ld %d trap %d trace %ld %d\n", r, e1 == EXDEV, trapped, u, e2 == ENOSYS);
	write(1, out, n);
	syscall(SYS_getgid);
	return 2;
}
