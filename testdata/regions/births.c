// Threads are made all the time, by threads that are made themselves, and each comes into "inner". A byte on standard input ends it.
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile int over;

__attribute__((noinline)) void inner(void) { syscall(SYS_getppid); }

static void *leaf(void *p) {
	inner();
	return p;
}

static void *branch(void *p) {
	pthread_t t;
	if (pthread_create(&t, 0, leaf, p))
		abort();
	inner();
	pthread_join(t, 0);
	return p;
}

static void *root(void *p) {
	pthread_t t;
	while (!over) {
		if (pthread_create(&t, 0, branch, p))
			abort();
		pthread_join(t, 0);
	}
	return p;
}

int main(int argc, char **argv) {
	int n = atoi(argv[1]);
	pthread_t t[16];
	for (int i = 0; i < n; i++)
		pthread_create(&t[i], 0, root, 0);
	char c;
	write(1, "ready\n", 6);
	while (read(0, &c, 1) == 1 && c != 'q')
		write(1, "alive\n", 6);
	over = 1;
	for (int i = 0; i < n; i++)
		pthread_join(t[i], 0);
	write(1, "done\n", 5);
	return 0;
}
