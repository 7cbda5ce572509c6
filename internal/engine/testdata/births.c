// Threads that make threads for as long as the test likes (a chain, so that the list changes all the time). Prints
// "ready", ends when its input does.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_int stop;

static void *thread(void *p) {
	pthread_t t;
	pthread_attr_t a;
	for (int i = 0; i < 50; i++)
		getppid();
	if (atomic_load(&stop))
		return 0;
	pthread_attr_init(&a);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&a, 65536);
	if (pthread_create(&t, &a, thread, p))
		abort();
	return 0;
}

int main() {
	char c;
	for (int i = 0; i < 4; i++)
		thread(0);
	write(1, "ready\n", 6);
	read(0, &c, 1);
	atomic_store(&stop, 1);
	pthread_exit(0);
}
