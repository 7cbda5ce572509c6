// Children whose parent is killed while they are being born: argv[1] rounds. A middle process forks as fast as it
// can, and is killed by this one. Every child exits by itself.
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
	int rounds = atoi(argv[1]);
	volatile int *born = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int i = 0; i < rounds; i++) {
		*born = 0;
		pid_t mid = fork();
		if (mid == 0) {
			signal(SIGCHLD, SIG_IGN);
			for (;;) {
				pid_t p = fork();
				if (p == 0)
					_exit(0);
				++*born;
			}
		}
		while (*born < 1 + i % 4)
			sched_yield();
		kill(mid, SIGKILL);
		while (wait(0) > 0)
			;
	}
	puts("ok");
	return 0;
}
