// Several threads fork inside and outside of "inner" all the time; children come into it as well.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) long inner(long n) {
	syscall(SYS_getppid);
	if (n == 1) {
		pid_t p = fork();
		if (p == 0) {
			syscall(SYS_getppid);
			return 0;
		}
		int st;
		if (waitpid(p, &st, 0) != p || st != 0)
			abort();
	}
	return n;
}
static int rounds;
static void *run(void *a) {
	pid_t me = getpid();
	for (int i = 0; i < rounds; i++) {
		syscall(SYS_getuid);
		inner(1);
		if (getpid() != me) {
			syscall(SYS_getuid);
			_exit(0);
		}
		pid_t p = fork();
		if (p == 0) {
			syscall(SYS_getuid);
			inner(2);
			syscall(SYS_getuid);
			_exit(0);
		}
		int st;
		if (waitpid(p, &st, 0) != p || st != 0)
			abort();
	}
	return a;
}
int main(int argc, char **argv) {
	rounds = atoi(argv[2]);
	pthread_t t[16];
	int n = atoi(argv[1]);
	for (int i = 0; i < n; i++)
		pthread_create(&t[i], 0, run, 0);
	for (int i = 0; i < n; i++)
		pthread_join(t[i], 0);
	return 0;
}
