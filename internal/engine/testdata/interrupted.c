// Calls that a signal interrupts: read is restarted by hand of the kernel, nanosleep through restart_syscall, pause ends with EINTR.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void handler(int s) {}

int main() {
	// A stop and SIGCONT interrupt a poll with a timeout: ERESTART_RESTARTBLOCK.
	pid_t pid = fork();
	if (pid == 0) {
		int st = poll(0, 0, 200);
		_exit(st);
	}
	char path[64], buf[512];
	snprintf(path, sizeof path, "/proc/%d/syscall", pid);
	// Until it is in poll (7).
	for (;;) {
		FILE *f = fopen(path, "r");
		int nr = -1;
		if (f) {
			if (!fgets(buf, sizeof buf, f) || sscanf(buf, "%d", &nr) != 1)
				nr = -1;
			fclose(f);
		}
		if (nr == 7)
			break;
	}
	int st;
	kill(pid, SIGSTOP);
	waitpid(pid, &st, WUNTRACED);
	kill(pid, SIGCONT);
	if (waitpid(pid, &st, 0) != pid || !WIFEXITED(st) || WEXITSTATUS(st) != 0)
		return 1;

	// pause by a handler: EINTR.
	struct sigaction sa = {.sa_handler = handler};
	sigaction(SIGALRM, &sa, 0);
	struct itimerval it = {.it_value = {0, 2000}, .it_interval = {0, 2000}};
	setitimer(ITIMER_REAL, &it, 0);
	if (pause() != -1 || errno != EINTR)
		return 2;
	struct itimerval off = {};
	setitimer(ITIMER_REAL, &off, 0);
	puts("ok");
	return 0;
}
