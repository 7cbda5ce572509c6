// Goes into a state, argv[1], and stays there until SIGUSR1, or for vfork the end of its input.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void handler(int s) {
	write(1, "done\n", 5);
	_exit(7);
}

static void *idle(void *p) {
	for (;;)
		pause();
	return 0;
}

int main(int argc, char **argv) {
	struct sigaction sa = {.sa_handler = handler};
	sigaction(SIGUSR1, &sa, 0);
	write(1, "ready\n", 6);
	if (!strcmp(argv[1], "run")) {
		for (;;)
			;
	} else if (!strcmp(argv[1], "sleep")) {
		struct timespec ts = {100, 0};
		for (;;)
			nanosleep(&ts, 0);
	} else if (!strcmp(argv[1], "calls")) {
		for (;;)
			getppid();
	} else if (!strcmp(argv[1], "threads")) {
		for (int i = 0; i < 5; i++) {
			pthread_t t;
			pthread_create(&t, 0, idle, 0);
		}
		for (;;)
			pause();
	} else if (!strcmp(argv[1], "vfork")) {
		if (vfork() == 0) {
			char c;
			write(1, "child\n", 6);
			read(0, &c, 1); // until the test closes it
			_exit(0);
		}
	}
	write(1, "done\n", 5);
	return 7;
}
