// Makes children with the clone flags given: untraced, untraced3, ptrace. Each child calls getppid and exits with 0.
#define _GNU_SOURCE
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
	long pid;
	if (!strcmp(argv[1], "untraced3")) {
		struct clone_args a = {.flags = CLONE_UNTRACED, .exit_signal = SIGCHLD};
		pid = syscall(SYS_clone3, &a, sizeof a);
	} else {
		long flags = !strcmp(argv[1], "untraced") ? CLONE_UNTRACED : CLONE_PTRACE;
		pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
	}
	if (pid == 0) {
		syscall(SYS_getppid);
		_exit(0);
	}
	int st;
	if (waitpid(pid, &st, 0) != pid || st != 0)
		return 1;
	printf("%ld\n", pid);
	return 0;
}
