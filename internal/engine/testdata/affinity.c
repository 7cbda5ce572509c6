// Makes many calls, and in between asks for its set of processors in every way, and sets it. Prints what it sees.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void busy(void) {
	for (int i = 0; i < 500; i++)
		syscall(SYS_getppid);
}

static void show(const char *what) {
	cpu_set_t set;
	CPU_ZERO(&set);
	syscall(SYS_sched_getaffinity, 0, sizeof set, &set);
	printf("%s %d\n", what, CPU_COUNT(&set));
	fflush(stdout);
}

static void *thread(void *p) {
	show("thread");
	busy();
	show("thread");
	return 0;
}

static void status(int late) {
	char line[512];
	FILE *f = fopen("/proc/self/status", "r");
	if (late)
		busy(); /* the kernel writes the text when it is read */
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, "Cpus", 4))
			fputs(line, stdout);
	fclose(f);
	fflush(stdout);
}

int main(int argc, char **argv) {
	if (argc > 1) {
		show("exec");
		busy();
		status(0);
		return 0;
	}
	int st;
	busy();
	show("start");
	busy();
	if (fork() == 0) {
		show("fork");
		busy();
		show("fork");
		_exit(0);
	}
	wait(&st);
	if (fork() == 0) {
		status(1);
		_exit(0);
	}
	wait(&st);
	busy();
	if (vfork() == 0)
		execl(argv[0], argv[0], "exec", (char *)0);
	wait(&st);
	busy();
	pthread_t t;
	pthread_create(&t, 0, thread, 0);
	pthread_join(t, 0);
	busy();
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	cpu_set_t all;
	sched_getaffinity(0, sizeof all, &all);
	busy();
	sched_setaffinity(0, sizeof one, &one);
	busy();
	show("one");
	sched_setaffinity(0, sizeof all, &all);
	busy();
	show("all");
	busy();
	status(0);
	busy();
	execl(argv[0], argv[0], "exec", (char *)0);
	return 1;
}
