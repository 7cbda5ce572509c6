// One thread makes a call, the other a hundred; which of them is done first?
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_int made;

static void *other(void *arg)
{
	for (int i = 0; i < 100; i++) {
		getgid();
		made++;
	}
	return 0;
}

int main(void)
{
	pthread_t t;
	pthread_create(&t, 0, other, 0);
	getuid();
	int n = made;
	pthread_join(t, 0);
	printf("%d calls before\n", n >= 99 ? 100 : n);
	return 0;
}
