// Opens a FIFO that nobody writes to until three signals have interrupted the call.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

static volatile int ticks;

static void handler(int sig)
{
	if (++ticks == 3 && fork() == 0) {
		int fd = open("b", O_WRONLY);
		write(fd, "through\n", 8);
		_exit(0);
	}
}

int main(void)
{
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
	struct itimerval it = {{0, 10000}, {0, 10000}};
	char buf[8];
	sigaction(SIGALRM, &sa, 0);
	setitimer(ITIMER_REAL, &it, 0);
	int fd = open("a", O_RDONLY);
	it.it_value.tv_usec = 0;
	setitimer(ITIMER_REAL, &it, 0);
	int n = fd < 0 ? 0 : read(fd, buf, 8);
	write(1, buf, n);
	return ticks < 3;
}
