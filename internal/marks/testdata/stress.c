/* stress THREADS REGIONS: waits for a byte, marks REGIONS regions in each thread, every other one with one inside it, and
   says "done" and how many were answered by a tracer. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "farcall.h"

static long regions;

static void *work(void *arg)
{
	long *answered = (long *)arg;
	long i;

	for (i = 0; i < regions; i++) {
		farcall_region outer, inner;

		FARCALL_BEGIN(&outer, "outer");
		*answered += outer.reply == FARCALL_REPLY_TRACED_;
		if (i % 2) {
			FARCALL_BEGIN(&inner, "inner");
			*answered += inner.reply == FARCALL_REPLY_TRACED_;
			FARCALL_END(&inner);
		}
		FARCALL_END(&outer);
	}
	return 0;
}

int main(int argc, char **argv)
{
	enum { most = 64 };
	pthread_t threads[most];
	long answered[most] = {0}, sum = 0;
	int i, n = argc > 2 ? atoi(argv[1]) : 1;
	char c;

	regions = argc > 2 ? atol(argv[2]) : 1;
	if (n > most || read(0, &c, 1) != 1)
		return 2;
	for (i = 0; i < n; i++)
		if (pthread_create(&threads[i], 0, work, &answered[i]))
			return 3;
	for (i = 0; i < n; i++) {
		pthread_join(threads[i], 0);
		sum += answered[i];
	}
	printf("done %ld\n", sum);
	return 0;
}
