// Prints the siginfo that a call brings along.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void handler(int sig, siginfo_t *si, void *context)
{
	printf("signal %d code %d address %lx\n", sig, si->si_code, (unsigned long)si->si_addr);
	fflush(stdout);
	_exit(0);
}

int main(void)
{
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &sa, 0);
	getppid();
	return 1;
}
