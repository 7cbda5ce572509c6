// options: ; -v
// mask: (sigev_notify_thread_id=|gettid\(\) += )[0-9]+: the process's own number
// Names of 14, 15 and 16 bytes, masks of every length, and timers with every kind of notification.
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void timer(int notify, int value)
{
	struct sigevent e;
	timer_t t;

	memset(&e, 0, sizeof e);
	e.sigev_notify = notify;
	e.sigev_signo = SIGALRM;
	e.sigev_value.sival_int = value;
	if (notify == SIGEV_THREAD_ID)
		e._sigev_un._tid = syscall(SYS_gettid);
	timer_create(CLOCK_REALTIME, &e, &t);
}

int main(void)
{
	static const int masks[] = { 0, 07, 022, 0777, 01777, -1 };

	prctl(PR_SET_NAME, "a");
	prctl(PR_SET_NAME, "fourteen_chars");
	prctl(PR_SET_NAME, "fifteen__chars_");
	prctl(PR_SET_NAME, "sixteen__chars__");
	prctl(PR_SET_NAME, 1L);
	for (unsigned i = 0; i < sizeof masks / sizeof *masks; i++)
		umask(masks[i]);
	timer(SIGEV_SIGNAL, 0);
	timer(SIGEV_SIGNAL, 3);
	timer(SIGEV_NONE, 0);
	timer(SIGEV_THREAD_ID, 0);
	timer(SIGEV_THREAD_ID, 5);
	timer(77, 5);
	syscall(SYS_timer_create, CLOCK_REALTIME, NULL, 8L);
	return 0;
}
