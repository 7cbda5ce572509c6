// Signals with data: sigqueue's value, a child's status, a timer's id and value. Prints what the handlers see.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t n[65];
static siginfo_t info[65];
static void handler(int s, siginfo_t *si, void *u) {
	n[s]++;
	info[s] = *si;
}

int main() {
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	int sigs[] = {SIGUSR1, SIGCHLD, SIGRTMIN + 3, SIGALRM};
	sigset_t all, none;
	sigfillset(&all);
	sigemptyset(&none);
	for (int i = 0; i < 4; i++)
		sigaction(sigs[i], &sa, 0);
	sigprocmask(SIG_BLOCK, &all, 0);

	union sigval v = {.sival_int = 4711};
	sigqueue(getpid(), SIGUSR1, v);
	while (!n[SIGUSR1])
		sigsuspend(&none);
	printf("queue code %d pid %d value %d\n", info[SIGUSR1].si_code, info[SIGUSR1].si_pid == getpid(), info[SIGUSR1].si_int);

	for (int i = 0; i < 3; i++) { // real-time signals queue
		v.sival_int = i;
		sigqueue(getpid(), SIGRTMIN + 3, v);
	}
	while (n[SIGRTMIN + 3] < 3)
		sigsuspend(&none);
	printf("rt count %d last %d\n", n[SIGRTMIN + 3], info[SIGRTMIN + 3].si_int);

	pid_t pid = fork();
	if (!pid)
		_exit(42);
	while (!n[SIGCHLD])
		sigsuspend(&none);
	printf("child code %d pid %d status %d\n", info[SIGCHLD].si_code, info[SIGCHLD].si_pid == pid, info[SIGCHLD].si_status);
	waitpid(pid, 0, 0);

	timer_t t;
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM, .sigev_value.sival_int = 99};
	timer_create(CLOCK_MONOTONIC, &ev, &t);
	struct itimerspec its = {.it_value = {0, 1000}};
	timer_settime(t, 0, &its, 0);
	while (!n[SIGALRM])
		sigsuspend(&none);
	printf("timer code %d value %d\n", info[SIGALRM].si_code, info[SIGALRM].si_int);
	return 0;
}
