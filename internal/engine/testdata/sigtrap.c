// SIGTRAP of the program's own making: int3, raise, kill; each must reach the handler, with its siginfo.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int seen, code[4], pid[4];
static void handler(int s, siginfo_t *si, void *u) {
	if (seen < 4) {
		code[seen] = si->si_code;
		pid[seen] = si->si_pid;
	}
	seen++;
}

int main() {
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	sigaction(SIGTRAP, &sa, 0);
#ifdef __x86_64__
	__asm__ volatile("int3");
#else
	__builtin_trap();
#endif
	raise(SIGTRAP);
	kill(getpid(), SIGTRAP);
	getppid();
	printf("%d %d %d %d %d\n", seen, code[0] > 0, code[1] == SI_TKILL, code[2] == SI_USER, pid[2] == getpid());
	return 0;
}
