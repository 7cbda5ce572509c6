/* A thread that is not the leader calls execve: its pid changes to the leader's. */
#include <pthread.h>
#include <unistd.h>

static void *run(void *arg)
{
	char *argv[] = {"true", NULL}, *envp[] = {NULL};

	execve("/bin/true", argv, envp);
	return arg;
}

int main(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, run, NULL);
	pthread_join(thread, NULL);
	return 1;
}
