// Opens and reads a file by 32-bit calls, without a C library: built for i386, or for x86-64 at low addresses. Its exit status says
// what it has read.
static char buf[8];
static char name[] = "a"; // below 4 GiB

static long call(long nr, long a, long b, long c)
{
	long ret;
	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
	return ret;
}

void _start(void)
{
	int fd = call(5, (long)name, 0, 0); // open
	int n = call(3, fd, (long)buf, 8);  // read
	call(1, n == 2 && buf[0] == 'B' && name[0] == 'a' ? 77 : 1, 0, 0);
}
