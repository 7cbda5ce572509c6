// vfork and exec of true, a few times.
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main() {
	for (int i = 0; i < 5; i++) {
		pid_t pid = vfork();
		if (pid == 0) {
			execl("/bin/true", "true", (char *)0);
			_exit(1);
		}
		int st;
		if (waitpid(pid, &st, 0) != pid || st)
			return 1;
	}
	puts("ok");
	return 0;
}
