// Sets up an unusual process, then executes argv[1].
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv) {
	int ignore[] = {SIGPIPE, SIGTERM, SIGQUIT, SIGUSR2, SIGTSTP, SIGTTOU, SIGHUP, SIGCHLD, 40, 50, 64};
	for (unsigned i = 0; i < sizeof ignore / sizeof *ignore; i++)
		signal(ignore[i], SIG_IGN);
	sigset_t mask;
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGWINCH);
	sigaddset(&mask, 45);
	sigprocmask(SIG_BLOCK, &mask, 0);
	umask(0137);
	struct rlimit l = {100, 4096};
	setrlimit(RLIMIT_NOFILE, &l);
	struct rlimit c = {0, 12345};
	setrlimit(RLIMIT_CORE, &c);
	dup2(open("/dev/zero", O_RDONLY), 7);
	dup2(open("/dev/null", O_WRONLY | O_APPEND), 33);
	if (nice(3) == -1)
		return 1;
	execv(argv[1], argv + 1);
	perror("execv");
	return 1;
}
