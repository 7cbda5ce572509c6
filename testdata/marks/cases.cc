// What regions have to survive: cases NAME...
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <pthread.h>
#include <unistd.h>
#include "farcall.h"

static void inside() { (void)getsid(0); }
static void outside() { (void)getppid(); }

static void thrower()
{
	FARCALL_REGION("thrown");
	inside();
	throw 1;
}

static void exception()
{
	try {
		thrower();
	} catch (int) {
		outside();
	}
}

static jmp_buf jump;

static void jumper()
{
	farcall_region r;
	FARCALL_BEGIN(&r, "jumped");
	inside();
	longjmp(jump, 1);
}

static void longjump()
{
	farcall_region r;
	FARCALL_BEGIN(&r, "around");
	if (!setjmp(jump))
		jumper();
	inside();
	FARCALL_END(&r);
	outside();
}

static void forked()
{
	farcall_region r;
	FARCALL_BEGIN(&r, "forked");
	pid_t child = fork();
	if (child == 0) {
		inside();
		FARCALL_END(&r);
		outside();
		{
			FARCALL_REGION("child");
			inside();
		}
		_exit(0);
	}
	waitpid(child, nullptr, 0);
	FARCALL_END(&r);
	outside();
}

static void executed()
{
	FARCALL_REGION("before");
	execlp("/proc/self/exe", "cases", "exception", nullptr);
}

static volatile sig_atomic_t handled;

static void handler(int)
{
	FARCALL_REGION("handler");
	handled++;
}

// Marks while a timer's handler marks too.
static void signals()
{
	struct sigaction sa;
	memset(&sa, 0, sizeof sa);
	sa.sa_handler = handler;
	sigaction(SIGALRM, &sa, nullptr);
	for (int i = 0; i < 300; i++) {
		// One signal each time, at ever later points: more of them could take all the time there is.
		struct itimerval once = {{0, 0}, {0, 1 + i % 100 * 10}};
		setitimer(ITIMER_REAL, &once, nullptr);
		FARCALL_REGION("interrupted");
		inside();
	}
	struct itimerval never = {{0, 0}, {0, 0}};
	setitimer(ITIMER_REAL, &never, nullptr);
	outside();
}

static sigjmp_buf out;

static void leap(int) { siglongjmp(out, 1); }

static void *steady(void *)
{
	for (int i = 0; i < 300; i++) {
		FARCALL_REGION("steady");
		inside();
	}
	return nullptr;
}

// A handler leaves marks by siglongjmp, at ever later points of them, while another thread marks.
static void leaping()
{
	sigset_t alarm;
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm, nullptr);
	pthread_t t;
	pthread_create(&t, nullptr, steady, nullptr);
	pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
	struct sigaction sa;
	memset(&sa, 0, sizeof sa);
	sa.sa_handler = leap;
	sigaction(SIGALRM, &sa, nullptr);
	static farcall_region r;
	static volatile int i;
	for (i = 0; i < 300; i++)
		if (!sigsetjmp(out, 1)) {
			struct itimerval once = {{0, 0}, {0, 1 + i % 100 * 10}};
			setitimer(ITIMER_REAL, &once, nullptr);
			FARCALL_BEGIN(&r, "left");
			inside();
			FARCALL_END(&r);
			for (;;)
				pause();
		}
	pthread_join(t, nullptr);
	if (farcall_gave_up_ != 0)
		_exit(9);
	FARCALL_REGION("after");
	inside();
}

static farcall_region shared;

static void *ender(void *)
{
	FARCALL_END(&shared);
	return nullptr;
}

// A region cannot be ended by another thread.
static void otherThread()
{
	FARCALL_BEGIN(&shared, "shared");
	pthread_t t;
	pthread_create(&t, nullptr, ender, nullptr);
	pthread_join(t, nullptr);
	inside();
}

// An outer region ends first. No end may wait for an answer that does not come: the region after them would not be seen.
static void interleaved()
{
	farcall_region a, b;
	FARCALL_BEGIN(&a, "a");
	FARCALL_BEGIN(&b, "b");
	FARCALL_END(&a);
	inside();
	FARCALL_END(&b);
	FARCALL_REGION("after");
	inside();
}

extern "C" __attribute__((noinline)) void starting()
{
	FARCALL_BEGIN(&shared, "work");
	inside();
}

extern "C" __attribute__((noinline)) void finishing()
{
	FARCALL_END(&shared);
	inside();
}

// A region that begins in one function and ends in another.
static void functions()
{
	starting();
	inside();
	finishing();
	outside();
}

extern "C" __attribute__((noinline)) void jumping()
{
	farcall_region r;
	FARCALL_BEGIN(&r, "jumped");
	longjmp(jump, 1);
}

extern "C" __attribute__((noinline)) void catching()
{
	if (!setjmp(jump))
		jumping();
}

// A region whose end is jumped over, in a function that returns.
static void jumpedFunctions()
{
	catching();
	outside();
}

static void unfinished()
{
	farcall_region r;
	FARCALL_BEGIN(&r, "unfinished");
	_exit(3);
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*f)(); } cases[] = {
		{"exception", exception}, {"longjump", longjump}, {"forked", forked}, {"executed", executed}, {"signals", signals}, {"leaping", leaping},
		{"thread", otherThread},
		{"interleaved", interleaved}, {"functions", functions}, {"jumped", jumpedFunctions}, {"unfinished", unfinished},
	};
	for (int i = 1; i < argc; i++)
		for (const auto &c : cases)
			if (!strcmp(c.name, argv[i]))
				c.f();
	return 0;
}
