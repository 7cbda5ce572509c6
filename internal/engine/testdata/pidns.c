// Forks a child into a new pid namespace, which asks for its ids.
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main() {
	if (unshare(CLONE_NEWPID) && unshare(CLONE_NEWUSER | CLONE_NEWPID))
		return 1;
	pid_t pid = fork();
	if (pid == 0) {
		long me = syscall(SYS_getpid);
		_exit(me == 1 ? 0 : 1);
	}
	int st;
	waitpid(pid, &st, 0);
	return WEXITSTATUS(st);
}
