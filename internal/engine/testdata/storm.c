// Threads that compute and are hit by signals from another of them. At the end of its input it prints
// how many signals were sent, and whether each was handled once.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { N = 4 };
static atomic_long handled, sent;
static atomic_int stop, ready;
static pthread_t threads[N];

static void handler(int s, siginfo_t *si, void *u) { atomic_fetch_add(&handled, si->si_value.sival_int); }

static void *worker(void *p) {
	long x = 0;
	atomic_fetch_add(&ready, 1);
	while (!atomic_load(&stop)) {
		for (int i = 0; i < 100; i++)
			x += i;
		getppid();
	}
	return (void *)x;
}

static void *sender(void *p) {
	while (!atomic_load(&stop)) {
		union sigval v = {.sival_int = 1};
		if (atomic_load(&sent) - atomic_load(&handled) < 8 && sigqueue(getpid(), SIGRTMIN + 1, v) == 0)
			atomic_fetch_add(&sent, 1);
	}
	return 0;
}

int main() {
	char c;
	pthread_t s;
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
	sigaction(SIGRTMIN + 1, &sa, 0);
	for (int i = 0; i < N; i++)
		pthread_create(&threads[i], 0, worker, 0);
	while (atomic_load(&ready) < N)
		usleep(100);
	pthread_create(&s, 0, sender, 0);
	write(1, "ready\n", 6);
	while (read(0, &c, 1) == 1)
		;
	atomic_store(&stop, 1);
	pthread_join(s, 0);
	for (int i = 0; i < N; i++)
		pthread_join(threads[i], 0);
	while (atomic_load(&handled) != atomic_load(&sent))
		getppid();
	printf("%d %d\n", atomic_load(&sent) > 0, atomic_load(&handled) == atomic_load(&sent));
	return 9;
}
