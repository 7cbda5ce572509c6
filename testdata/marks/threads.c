/* threads THREADS REGIONS: each thread makes one call inside of each region, and others outside. A line is awaited first. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/types.h>
#include "farcall.h"

static int regions;

static void inner(void)
{
	FARCALL_REGION("inner");
	(void)getpgid(1);
}

static void *work(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < regions; i++) {
		getppid();
		{
			FARCALL_REGION("outer");
			(void)getsid(0);
			if (i % 2)
				inner();
		}
		getppid();
	}
	return NULL;
}

int main(int argc, char **argv)
{
	enum { most = 64 };
	pthread_t threads[most];
	char line[80];
	int i, n = argc > 1 ? atoi(argv[1]) : 1;

	regions = argc > 2 ? atoi(argv[2]) : 1;
	puts("ready");
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin) || n > most)
		return 2;
	for (i = 0; i < n; i++)
		pthread_create(&threads[i], NULL, work, NULL);
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	puts("done");
	return 0;
}
