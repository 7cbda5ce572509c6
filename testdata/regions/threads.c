#define _GNU_SOURCE
#include <pthread.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <stdlib.h>
#include <stdio.h>
static int depth, rounds;
__attribute__((noinline)) int rec(int n) {
	if (n == 0) { syscall(SYS_getppid); return 0; }
	return rec(n - 1) + 1;
}
static void *run(void *p) {
	for (int i = 0; i < rounds; i++) { syscall(SYS_getuid); if (rec(depth) != depth) abort(); }
	return p;
}
int main(int argc, char **argv) {
	int n = atoi(argv[1]); rounds = atoi(argv[2]); depth = atoi(argv[3]);
	pthread_t t[64];
	for (int i = 0; i < n; i++) pthread_create(&t[i], 0, run, 0);
	for (int i = 0; i < n; i++) pthread_join(t[i], 0);
	return 0;
}
