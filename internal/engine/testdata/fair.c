// One thread makes calls without end, others make argv[1] of theirs and end the program when all are done.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int n;
static void *busy(void *p) {
	for (;;)
		syscall(SYS_getppid);
	return 0;
}
static void *modest(void *p) {
	for (int i = 0; i < n; i++)
		syscall(SYS_getuid);
	return 0;
}

int main(int argc, char **argv) {
	n = atoi(argv[1]);
	pthread_t b[2], m[3];
	for (int i = 0; i < 2; i++)
		pthread_create(&b[i], 0, busy, 0);
	for (int i = 0; i < 3; i++)
		pthread_create(&m[i], 0, modest, 0);
	for (int i = 0; i < 3; i++)
		pthread_join(m[i], 0);
	exit(0);
}
