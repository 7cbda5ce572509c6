/* Four threads that add to a sum under a mutex, one after the other, and one that ends the process's only child. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long sum;

static void *add(void *arg)
{
	pthread_mutex_lock(&lock);
	sum += (long)arg;
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void *spawn(void *arg)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(7);
	waitpid(pid, &status, 0);
	*(int *)arg = WEXITSTATUS(status);
	return NULL;
}

int main(void)
{
	pthread_t thread;
	int status = 0;

	for (long i = 1; i <= 4; i++) {
		pthread_create(&thread, NULL, add, (void *)i);
		pthread_join(thread, NULL);
	}
	pthread_create(&thread, NULL, spawn, &status);
	pthread_join(thread, NULL);
	printf("%ld %d\n", sum, status);
	return status == 7 && sum == 10 ? 3 : 1;
}
