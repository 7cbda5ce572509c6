// Prints everything about itself that a tracer could disturb.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
	sigset_t mask, pending;
	sigprocmask(SIG_BLOCK, 0, &mask);
	sigpending(&pending);
	for (int s = 1; s <= 64; s++) {
		struct sigaction sa;
		if (s == 32 || s == 33 || sigaction(s, 0, &sa))
			continue;
		printf("signal %d: %s%s%s\n", s, sa.sa_handler == SIG_IGN ? "ignored" : sa.sa_handler == SIG_DFL ? "default" : "caught",
			sigismember(&mask, s) ? " blocked" : "", sigismember(&pending, s) ? " pending" : "");
	}
	mode_t um = umask(0);
	printf("umask %03o\n", um);
	for (int r = 0; r < RLIM_NLIMITS; r++) {
		struct rlimit l;
		getrlimit(r, &l);
		printf("limit %d: %lx %lx\n", r, (long)l.rlim_cur, (long)l.rlim_max);
	}
	for (int fd = 0; fd < 256; fd++) {
		int fl = fcntl(fd, F_GETFD), st = fcntl(fd, F_GETFL);
		if (fl >= 0)
			printf("fd %d: %d %x\n", fd, fl, st);
	}
	printf("ids %d %d %d %d\n", getuid(), geteuid(), getgid(), getegid());
	printf("pgrp %d session %d\n", getpgrp() == getpid(), getsid(0) == getpid());
	printf("nice %d sched %d\n", getpriority(PRIO_PROCESS, 0), sched_getscheduler(0));
	cpu_set_t cpus;
	sched_getaffinity(0, sizeof cpus, &cpus);
	printf("cpus %d\n", CPU_COUNT(&cpus));
	int death = -1;
	prctl(PR_GET_PDEATHSIG, &death);
	printf("pdeathsig %d dumpable %d nnp %d keepcaps %d slack %d\n", death, prctl(PR_GET_DUMPABLE), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
		prctl(PR_GET_KEEPCAPS), prctl(PR_GET_TIMERSLACK));
	for (int i = 0; i < argc; i++)
		printf("arg %s\n", argv[i]);
	for (char **e = environ; *e; e++)
		if (strncmp(*e, "ENGINE_TEST", 11))
			printf("env %s\n", *e);
	char cwd[4096];
	printf("cwd %s\n", getcwd(cwd, sizeof cwd));
	FILE *f = fopen("/proc/self/status", "r");
	char line[512];
	while (f && fgets(line, sizeof line, f))
		if ((!strncmp(line, "Sig", 3) && strncmp(line, "SigQ", 4)) || !strncmp(line, "Shd", 3) || !strncmp(line, "Cpus", 4) || !strncmp(line, "Seccomp", 7) ||
			!strncmp(line, "Spec", 4) || !strncmp(line, "Cap", 3) || !strncmp(line, "Threads", 7))
			fputs(line, stdout);
	return 0;
}
