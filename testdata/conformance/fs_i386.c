// options: ; -v
// arch: i386
typedef unsigned long ul;
static long call(long nr, ul a, ul b, ul c, ul d, ul e, ul f)
{
	long ret;
	ul six[2] = {nr, f};

	__asm__ volatile("push %%ebp; mov 4(%%eax), %%ebp; mov (%%eax), %%eax; int $0x80; pop %%ebp"
			 : "=a"(ret) : "a"(six), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
	return ret;
}
#define C6(nr, a, b, c, d, e, f, ...) call(nr, (ul)(a), (ul)(b), (ul)(c), (ul)(d), (ul)(e), (ul)(f))
#define C(nr, ...) C6(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
static char buf[4096];
static struct { int fd; short e, r; } pf[2];
static struct { void *base; ul len; } iov[2];
static ul tv[4], args[6];
static unsigned char lk[32];

void _start(void)
{
	C(60, 022);
	int fd = C(295, -100, "file", 0102, 0644);
	C(4, fd, "hello world", 11); C(19, fd, 2, 0); C(140, fd, 0, 5, buf, 0); C(140, fd, -1, -3, buf, 2); C(3, fd, buf, 4); C(180, fd, buf, 5, 2, 0); C(181, fd, "abc", 3, 0, 1); C(181, fd, "abc", 3, -1, -1);
	C(92, "file", 100); C(193, "file", 5, 1); C(194, fd, 7, 0); C(193, "file", -1, -1);
	C(195, "/dev/null", buf); C(196, "/etc/passwd", buf); C(197, fd, 8); C(300, -100, "/etc", buf, 0); C(106, "/dev/null", buf); C(107, "/etc", buf); C(108, -1, buf);
	C(99, "/proc", buf); C(100, 0, 8); C(268, "/proc", 84, buf); C(269, -1, 84, buf); C(268, "/proc", 64, buf);
	C(221, fd, 1, 0); C(221, fd, 3, 0); C(55, fd, 3, 0); lk[0] = 1; C(221, fd, 13, lk); C(221, fd, 6, lk); C(55, fd, 5, lk); C(221, fd, 12, lk);
	iov[0].base = "one"; iov[0].len = 3; iov[1].base = buf; iov[1].len = 4; C(146, fd, iov, 1); C(145, fd, iov, 0); C(334, fd, iov, 1, 1, 0); C(333, fd, iov + 1, 1, 0, 0); C(378, fd, iov + 1, 1, 0, 0, 0); C(379, fd, iov, 1, -1, -1, 1);
	C(239, -1, fd, 0, 5); C(187, -1, fd, tv, 5); C(239, -1, fd, buf, 5);
	C(225, fd, 0, 0, 100); C(250, fd, 1, 2, 100, 3); C(272, fd, 1, 2, 3, 4, 5); C(324, fd, 1, 5, 0, 6, 0); C(314, fd, 1, 0, 2, 0, 7);
	pf[0].fd = fd; pf[0].e = 1; C(168, pf, 1, 0); tv[0] = tv[1] = 0; C(309, pf, 1, tv, 0, 8); C(414, pf, 1, 0, 0, 8); C(142, 1, 0, 0, 0, tv); args[0] = 0; args[4] = (ul)tv; C(82, args); C(308, 0, 0, 0, 0, tv, 0); C(413, 0, 0, 0, 0, buf + 2000, 0);
	C(182, "file", 1, 0xffff); C(198, "file", 5, -1); C(212, "file", 0, 0); C(207, fd, -1, -1); C(95, fd, 0xffff, 0);
	C(30, "file", tv); C(271, "file", tv); C(320, -100, "file", tv, 0); C(412, -100, "file", buf + 2000, 0); C(299, -100, "file", tv);
	C(85, "/proc/self/missing", buf, 10); C(5, "file", 0100, 0600); C(8, "file2", 0600); C(42, buf); C(331, buf, 02000000);
	C(141, fd, buf, 10); C(220, fd, buf, 10); C(22, "/missing"); C(52, "/missing", 1); C(183, buf, 100); C(63, fd, 20); C(12, "/missing"); C(325, 0, 0, 0); C(326, 3, 1, tv, 0); C(62, 0, buf);
	C(252, 0);
}
