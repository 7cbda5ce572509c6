/* cost N: the time of a region that contains nothing, in nanoseconds, as the mean of N: by the clock, and of the processor. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "farcall.h"

static void empty(void)
{
	FARCALL_REGION("empty");
}

static double nanoseconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	double clock, cpu;
	long n = argc > 1 ? atol(argv[1]) : 1, i;

	clock = nanoseconds(CLOCK_MONOTONIC);
	cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
	for (i = 0; i < n; i++)
		empty();
	printf("%.0f %.0f\n", (nanoseconds(CLOCK_MONOTONIC) - clock) / (double)n,
		(nanoseconds(CLOCK_THREAD_CPUTIME_ID) - cpu) / (double)n);
	return 0;
}
