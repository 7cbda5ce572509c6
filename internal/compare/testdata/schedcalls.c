/* One thread that makes, many times and always alike, the calls that threads otherwise make as often as the scheduler has it. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void handler(int sig) { (void)sig; }

int main(void)
{
	static int word = 5;
	struct timespec tick = {0, 1000};
	struct epoll_event events[2];
	struct sigaction action = {.sa_handler = handler};
	int ep = epoll_create1(EPOLL_CLOEXEC);

	sigaction(SIGURG, &action, NULL);
	for (int i = 0; i < 20; i++) {
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, i == 5 ? 6 : i, NULL, NULL, 0); /* EAGAIN */
		syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, i + 1, NULL, NULL, 0);
		syscall(SYS_futex, &word, FUTEX_WAIT, 5, &tick, NULL, 0); /* ETIMEDOUT */
		syscall(SYS_sched_yield);
		nanosleep(&tick, NULL);
		clock_nanosleep(CLOCK_MONOTONIC, 0, &tick, NULL);
		syscall(SYS_epoll_wait, ep, events, 2, 0);
		syscall(SYS_epoll_pwait, ep, events, 1 + i % 2, 0, NULL, 8);
		syscall(SYS_tgkill, syscall(SYS_getpid), syscall(SYS_gettid), SIGURG); /* the signal, rt_sigreturn */
	}
	return 0;
}
