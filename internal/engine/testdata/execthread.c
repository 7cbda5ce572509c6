// Many threads; argv[1] says who executes what: "one N" lets the last of N threads call execve, "all N" lets all do so at once,
// "exit N" lets one call exit_group. The new image is "leave", which exits with 5.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_barrier_t barrier;
static char *mode, *self;

static void *thread(void *p) {
	long i = (long)p;
	char *args[] = {self, "leave", "0", 0};
	pthread_barrier_wait(&barrier);
	if (!strcmp(mode, "all") || (i == 0 && !strcmp(mode, "one")))
		execv(self, args);
	if (i == 0 && !strcmp(mode, "exit"))
		exit(5);
	for (;;)
		pause();
	return 0;
}

int main(int argc, char **argv) {
	mode = argv[1];
	self = argv[0];
	if (!strcmp(mode, "leave"))
		return 5;
	int n = atoi(argv[2]);
	pthread_barrier_init(&barrier, 0, n);
	for (long i = 0; i < n; i++) {
		pthread_t t;
		pthread_attr_t a;
		pthread_attr_init(&a);
		pthread_attr_setstacksize(&a, 65536);
		if (pthread_create(&t, &a, thread, (void *)i))
			return 1;
	}
	for (;;)
		pause();
}
