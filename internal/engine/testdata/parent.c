// Runs argv[1] as a child, whose id it prints first, and ends as that does. (Were the child one of the tracer's own
// process, its parent would not learn of its end: wait4 of the tracing thread takes it.)
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		dprintf(1, "%d\n", getpid());
		execv(argv[1], argv + 1);
		_exit(127);
	}
	close(0);
	close(1);
	int st;
	while (waitpid(pid, &st, 0) != pid)
		;
	if (WIFSIGNALED(st)) {
		struct rlimit core = {0, 0};
		setrlimit(RLIMIT_CORE, &core);
		signal(WTERMSIG(st), SIG_DFL);
		raise(WTERMSIG(st));
	}
	return WEXITSTATUS(st);
}
