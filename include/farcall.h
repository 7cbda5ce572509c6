/*
 * farcall.h: regions that a program marks for "farcall trace --marks".
 *
 *     FARCALL_REGION("load");            until the end of the enclosing block
 *
 *     farcall_region r;                  where a block does not fit
 *     FARCALL_BEGIN(&r, "load");
 *     ...
 *     FARCALL_END(&r);                   by the thread that began it
 *
 * Nothing has to be linked. Without a tracer a region costs two system calls that find nothing, and never blocks.
 * With FARCALL_OFF defined, on other systems than Linux, and for other processors than 64-bit x86 and ARM, marks compile to nothing.
 * The page docs/marks.md of farcall describes the protocol.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef FARCALL_H
#define FARCALL_H

/* The program's own choice of warnings is not for this file. */
#if defined(__GNUC__) && !defined(FARCALL_WARNINGS)
#pragma GCC system_header
#endif

#if !defined(FARCALL_OFF) && defined(__linux__) && defined(__GNUC__) && defined(__LP64__) && \
	(defined(__x86_64__) || defined(__aarch64__))
#define FARCALL_MARKS 1
#else
#define FARCALL_MARKS 0
#endif

/* The longest that a region waits for a tracer that is there and does not answer, in seconds. A tracer that has died is not waited for. */
#ifndef FARCALL_TIMEOUT
#define FARCALL_TIMEOUT 10
#endif

#if FARCALL_MARKS

#define FARCALL_INLINE_ static __inline__ __attribute__((unused))

#ifdef __cplusplus
extern "C" {
#endif

/* One stay in a region, and what the tracer reads of it. */
typedef struct farcall_region {
	unsigned long magic;
	const char *name;
	unsigned long length; /* of the name, without its terminator */
	int set;              /* of semaphores */
	int process, thread;  /* as the program sees them */
	volatile int reply;   /* written by the tracer: FARCALL_REPLY_ */
} farcall_region;

enum {
	FARCALL_STEP_OTHER_ = 0,
	FARCALL_STEP_ENTER_ = 1, /* waits for "target" */
	FARCALL_STEP_LEAVE_ = 2, /* waits for "detach" */
	FARCALL_REPLY_NONE_ = 0,
	FARCALL_REPLY_TRACED_ = 1,
	FARCALL_REPLY_UNWANTED_ = 2
};

/* The semaphores of a set. */
enum {
	FARCALL_GUARD_ = 0,
	FARCALL_ATTACH_ = 1,
	FARCALL_TARGET_ = 2,
	FARCALL_TARGET_EXIT_ = 3,
	FARCALL_DETACH_ = 4,
	FARCALL_SEMAPHORES_ = 5
};

#define FARCALL_KEY_ 0x7f000000L               /* plus the process id: a set's key */
#define FARCALL_RECORD_ 0x316b72616d6c6c66UL   /* "fllmark1", in a record's magic */
#define FARCALL_CALL_ 0x6c6c61636b726100UL     /* plus the step: the sixth argument of each call made here */
#define FARCALL_DEAD_ 8192                     /* "target" is above it once the tracer has died */

#ifdef __x86_64__
enum { FARCALL_SEMGET_ = 64, FARCALL_SEMCTL_ = 66, FARCALL_SEMTIMEDOP_ = 220, FARCALL_GETPID_ = 39, FARCALL_GETTID_ = 186,
	FARCALL_CLOCK_GETTIME_ = 228, FARCALL_GETEUID_ = 107, FARCALL_SIGPROCMASK_ = 14 };

FARCALL_INLINE_ long farcall_call_(long number, long a, long b, long c, long d, const void *record, int step)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = (long)record;
	register long r9 __asm__("r9") = (long)FARCALL_CALL_ + step;
	__asm__ __volatile__("syscall"
		: "=a"(result)
		: "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		: "rcx", "r11", "memory");
	return result;
}
#else
enum { FARCALL_SEMGET_ = 190, FARCALL_SEMCTL_ = 191, FARCALL_SEMTIMEDOP_ = 192, FARCALL_GETPID_ = 172, FARCALL_GETTID_ = 178,
	FARCALL_CLOCK_GETTIME_ = 113, FARCALL_GETEUID_ = 175, FARCALL_SIGPROCMASK_ = 135 };

FARCALL_INLINE_ long farcall_call_(long number, long a, long b, long c, long d, const void *record, int step)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = (long)record;
	register long x5 __asm__("x5") = (long)FARCALL_CALL_ + step;
	__asm__ __volatile__("svc 0"
		: "+r"(x0)
		: "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
		: "memory");
	return x0;
}
#endif

/* A set that is not used any more, plus one: its tracer did not answer. One for the whole program. */
__attribute__((weak)) int farcall_gave_up_ = 0;

struct farcall_operation_ { unsigned short semaphore; short change; short flags; };
struct farcall_time_ { long seconds, nanoseconds; };

/* Blocks all signals, and is 0 if that is not possible; or gives the thread its own set back. A handler that interrupted a handshake could mark, and wait for its
   own thread, or leave by longjmp, and others would wait for what never comes. */
FARCALL_INLINE_ int farcall_block_(farcall_region *r, unsigned long *mask)
{
	enum { BLOCK_ = 0 };
	unsigned long all = ~0UL;

	return farcall_call_(FARCALL_SIGPROCMASK_, BLOCK_, (long)&all, (long)mask, sizeof all, r, 0) == 0;
}

FARCALL_INLINE_ void farcall_unblock_(farcall_region *r, const unsigned long *mask)
{
	enum { SETMASK_ = 2 };

	farcall_call_(FARCALL_SIGPROCMASK_, SETMASK_, (long)mask, 0, sizeof *mask, r, 0);
}

/* Does two operations at once, waiting until both are possible. A tracer interrupts it to take hold of the thread. */
FARCALL_INLINE_ long farcall_both_(farcall_region *r, int step, int set, int sem1, int change1, int sem2, int change2)
{
	enum { EINTR_ = 4, EAGAIN_ = 11, MONOTONIC_ = 1 };
	struct farcall_operation_ ops[2];
	struct farcall_time_ left, now;
	long deadline = -1, result;

	ops[0].semaphore = (unsigned short)sem1;
	ops[0].change = (short)change1;
	ops[1].semaphore = (unsigned short)sem2;
	ops[1].change = (short)change2;
	ops[0].flags = ops[1].flags = 0;
	left.seconds = FARCALL_TIMEOUT;
	left.nanoseconds = 0;
	for (;;) {
		result = farcall_call_(FARCALL_SEMTIMEDOP_, set, (long)ops, 2, (long)&left, r, step);
		if (result != -EINTR_)
			break;
		farcall_call_(FARCALL_CLOCK_GETTIME_, MONOTONIC_, (long)&now, 0, 0, r, 0);
		if (deadline < 0)
			deadline = now.seconds + FARCALL_TIMEOUT;
		left.seconds = deadline - now.seconds;
		if (left.seconds <= 0) {
			result = -EAGAIN_;
			break;
		}
	}
	if (result == -EAGAIN_)
		farcall_gave_up_ = set + 1;
	return result;
}

/* Tells whether a set was created by root or by the program's own user. Others could keep the program waiting. */
FARCALL_INLINE_ int farcall_trusted_(farcall_region *r, int set)
{
	enum { IPC_STAT_ = 2, SIZE_ = 64, CREATOR_ = 3 };
	unsigned status[SIZE_]; /* struct semid64_ds begins with key, uid, gid, cuid */

	if (farcall_call_(FARCALL_SEMCTL_, set, 0, IPC_STAT_, (long)status, r, 0) < 0)
		return 0;
	return status[CREATOR_] == 0 || status[CREATOR_] == (unsigned)farcall_call_(FARCALL_GETEUID_, 0, 0, 0, 0, r, 0);
}

static __attribute__((noinline, unused)) void farcall_enter_(farcall_region *r, const char *name, int set, int process)
{
	enum { IPC_RMID_ = 0, GETVAL_ = 12 };
	unsigned long mask;

	if (farcall_gave_up_ == set + 1)
		return;
	if (!farcall_trusted_(r, set)) {
		farcall_gave_up_ = set + 1;
		return;
	}
	if (!farcall_block_(r, &mask))
		return;
	r->magic = FARCALL_RECORD_;
	r->name = name;
	for (r->length = 0; name[r->length]; r->length++)
		;
	r->set = set;
	r->process = process;
	r->thread = (int)farcall_call_(FARCALL_GETTID_, 0, 0, 0, 0, r, 0);
	if (farcall_both_(r, FARCALL_STEP_OTHER_, set, FARCALL_GUARD_, -1, FARCALL_ATTACH_, 1) >= 0 &&
			farcall_both_(r, FARCALL_STEP_ENTER_, set, FARCALL_TARGET_, -1, FARCALL_GUARD_, 1) >= 0) {
		if (r->reply == FARCALL_REPLY_NONE_) { /* the set of a tracer that is dead, or of something else */
			if (farcall_call_(FARCALL_SEMCTL_, set, FARCALL_TARGET_, GETVAL_, 0, r, 0) <= FARCALL_DEAD_ ||
					farcall_call_(FARCALL_SEMCTL_, set, 0, IPC_RMID_, 0, r, 0) < 0)
				farcall_gave_up_ = set + 1;
		}
	} else {
		r->reply = FARCALL_REPLY_NONE_;
	}
	farcall_unblock_(r, &mask);
}

/* Begins a region. r must stay where it is until farcall_end, and be used by this thread only. */
FARCALL_INLINE_ int farcall_begin(farcall_region *r, const char *name)
{
	long process, set;

	r->reply = FARCALL_REPLY_NONE_;
	process = farcall_call_(FARCALL_GETPID_, 0, 0, 0, 0, r, 0);
	set = farcall_call_(FARCALL_SEMGET_, FARCALL_KEY_ + process, FARCALL_SEMAPHORES_, 0, 0, r, 0);
	if (set >= 0)
		farcall_enter_(r, name, (int)set, (int)process);
	return 0;
}

static __attribute__((noinline, unused)) void farcall_leave_(farcall_region *r)
{
	long process, set = r->set;
	unsigned long mask;

	if (farcall_call_(FARCALL_GETTID_, 0, 0, 0, 0, r, 0) != r->thread) {
		/* In a child process the tracer has another set; another thread cannot end the region. */
		process = farcall_call_(FARCALL_GETPID_, 0, 0, 0, 0, r, 0);
		if (process == r->process)
			return;
		set = farcall_call_(FARCALL_SEMGET_, FARCALL_KEY_ + process, FARCALL_SEMAPHORES_, 0, 0, r, 0);
	}
	if (set < 0 || farcall_gave_up_ == set + 1 || !farcall_block_(r, &mask))
		return;
	if (farcall_both_(r, FARCALL_STEP_OTHER_, (int)set, FARCALL_GUARD_, -1, FARCALL_TARGET_EXIT_, 1) >= 0)
		farcall_both_(r, FARCALL_STEP_LEAVE_, (int)set, FARCALL_DETACH_, -1, FARCALL_GUARD_, 1);
	farcall_unblock_(r, &mask);
}

/* Ends a region. */
FARCALL_INLINE_ void farcall_end(farcall_region *r)
{
	int reply = r->reply;

	r->reply = FARCALL_REPLY_NONE_;
	if (reply == FARCALL_REPLY_TRACED_)
		farcall_leave_(r);
}

#ifdef __cplusplus
}
#endif

#else /* !FARCALL_MARKS */

typedef struct farcall_region { int unused; } farcall_region;
#define farcall_begin(r, name) ((void)(name), (r)->unused = 0)
#define farcall_end(r) ((void)(r))

#endif

#define FARCALL_BEGIN(r, name) ((void)farcall_begin(r, name))
#define FARCALL_END(r) farcall_end(r)

#define FARCALL_JOIN2_(a, b) a##b
#define FARCALL_JOIN_(a, b) FARCALL_JOIN2_(a, b)

#if !FARCALL_MARKS
#define FARCALL_REGION(name) enum { FARCALL_JOIN_(farcall_none_, __LINE__) }
#elif defined(__cplusplus)
namespace farcall {
class Region {
	farcall_region region;
	Region(const Region &);
	Region &operator=(const Region &);

public:
	explicit Region(const char *name) : region() { farcall_begin(&region, name); }
	~Region() { farcall_end(&region); }
};
}
#define FARCALL_REGION(name) ::farcall::Region FARCALL_JOIN_(farcall_region_, __LINE__)(name)
#else
/* Two declarations, so that it can stand among declarations as C89 wants them. */
#define FARCALL_REGION(name) \
	farcall_region FARCALL_JOIN_(farcall_region_, __LINE__) __attribute__((cleanup(farcall_end))); \
	int FARCALL_JOIN_(farcall_begun_, __LINE__) __attribute__((unused)) = \
		farcall_begin(&FARCALL_JOIN_(farcall_region_, __LINE__), name)
#endif

#endif /* FARCALL_H */
