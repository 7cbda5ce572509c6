// options: ; -v
// arch: i386
// differs: msgrcv(-1, 0x804b0: strace shows the pair of pointer and type of the old form, farcall what it holds
// The two calls of i386 that stand for many, each with good and bad arguments.
typedef unsigned long ul;
static long call(long nr, ul a, ul b, ul c, ul d, ul e, ul f)
{
	long ret;
	ul six[2] = {nr, f};

	__asm__ volatile("push %%ebp; mov 4(%%eax), %%ebp; mov (%%eax), %%eax; int $0x80; pop %%ebp"
			 : "=a"(ret) : "a"(six), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
	return ret;
}
static ul args[6];
static long sc(int n, ul a, ul b, ul c, ul d, ul e, ul f)
{
	args[0] = a; args[1] = b; args[2] = c; args[3] = d; args[4] = e; args[5] = f;
	return call(102, n, (ul)args, 0, 0, 0, 0);
}
static char buf[256];
static int pair[2], len;
static struct { short op, num, flg; } sop;
static struct { void *base; ul len; } iov[1];
static struct { void *name; int namelen; void *iov; int iovlen; void *control; int controllen, flags; } msg;
static ul kludge[2];

void _start(void)
{
	int fd;
	static const char addr[16] = { 2, 0, 0x12, 0x34, 127, 0, 0, 1 };

	call(60, 022, 0, 0, 0, 0, 0); // where the comparison begins
	fd = sc(1, 2, 2, 0, 0, 0, 0);
	sc(2, -1, (ul)addr, 16, 0, 0, 0);
	sc(3, -1, (ul)addr, 16, 0, 0, 0);
	sc(4, -1, 5, 0, 0, 0, 0);
	len = 16; sc(5, -1, (ul)buf, (ul)&len, 0, 0, 0);
	sc(6, fd, (ul)buf, (ul)&len, 0, 0, 0);
	sc(7, fd, (ul)buf, (ul)&len, 0, 0, 0);
	sc(8, 1, 1, 0, (ul)pair, 0, 0);
	sc(9, pair[0], (ul)"hello", 5, 0, 0, 0);
	sc(10, pair[1], (ul)buf, 10, 0x40, 0, 0);
	sc(11, pair[0], (ul)"hello", 5, 0, 0, 0);
	sc(12, pair[1], (ul)buf, 10, 0, 0, 0);
	sc(13, pair[0], 1, 0, 0, 0, 0);
	len = 1; sc(14, fd, 1, 2, (ul)&len, 4, 0);
	sc(15, fd, 1, 3, (ul)buf, (ul)&len, 0);
	iov[0].base = "xyz"; iov[0].len = 3; msg.iov = iov; msg.iovlen = 1;
	sc(16, pair[1], (ul)&msg, 0, 0, 0, 0);
	iov[0].base = buf; sc(17, pair[0], (ul)&msg, 0, 0, 0, 0);
	sc(18, -1, 0, 0, 0x80000, 0, 0);
	sc(99, 1, 2, 3, 4, 5, 6);
	call(102, 1, 8, 0, 0, 0, 0);

	call(117, 2, -1, 1, 0x200, 0, 0);
	sop.op = 1; call(117, 1, -1, 1, 0, (ul)&sop, 0);
	call(117, 13, -1, 0x200, 0, 0, 0);
	call(117, 11, -1, 5, 0, (ul)buf, 0);
	kludge[0] = (ul)buf; kludge[1] = 7; call(117, 12, -1, 5, 0, (ul)kludge, 0);
	call(117, 12 | 1 << 16, -1, 5, 0, (ul)buf, 9);
	call(117, 23, -1, 100, 0x200, 0, 0);
	call(117, 22, 0, 0, 0, (ul)buf, 0);
	call(117, 99, 1, 2, 3, 4, 5);
	call(252, 0, 0, 0, 0, 0, 0);
}
