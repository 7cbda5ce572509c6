/* A thread that is not the leader calls execve: its pid changes to the leader's. */
#include <pthread.h>
#include <unistd.h>

static volatile int created;

static void *run(void *arg)
{
	char *argv[] = {"true", NULL}, *envp[] = {NULL};

	/* The leader is to wait in its call before. Nothing but another call could tell, so give it time, without calls. */
	while (!created)
		;
	for (volatile long i = 0; i < 100000000; i++)
		;
	execve("/bin/true", argv, envp);
	return arg;
}

int main(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, run, NULL);
	created = 1;
	pthread_join(thread, NULL);
	return 1;
}
