// A child stops itself; its parent checks that it is told, that the child does not run, and that SIGCONT resumes it.
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
	int sig = atoi(argv[1]);
	volatile long *count = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();
	if (pid == 0) {
		raise(sig);
		for (;;)
			++*count;
	}
	int st;
	if (waitpid(pid, &st, WUNTRACED) != pid || !WIFSTOPPED(st) || WSTOPSIG(st) != sig)
		return 1;
	for (int i = 0; i < 1000; i++)
		sched_yield();
	if (*count != 0)
		return 2;
	kill(pid, SIGCONT);
	if (waitpid(pid, &st, WCONTINUED) != pid || !WIFCONTINUED(st))
		return 3;
	while (*count < 1000)
		sched_yield();
	kill(pid, sig); // once more, while it runs
	if (waitpid(pid, &st, WUNTRACED) != pid || !WIFSTOPPED(st))
		return 4;
	kill(pid, SIGKILL);
	if (waitpid(pid, &st, 0) != pid || !WIFSIGNALED(st) || WTERMSIG(st) != SIGKILL)
		return 5;
	puts("ok");
	return 0;
}
