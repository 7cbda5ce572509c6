// options: ; -v
// arch: i386
// mask: \b[0-9]{3,19}\b: process ids and times
// mask: (ru_\w+|tv_usec|tms_\w+)=[0-9N]+: what was used
// mask: T[0-9:]{8}: the time of day
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
static unsigned char buf[4096];
static ul a[8], sa[8];

void _start(void)
{
	C(60, 022);
	C(192, 0, 4096, 3, 0x22, -1, 0); C(192, 0, 4096, 1, 2, -1, 5); a[1] = 4096; a[2] = 3; a[3] = 0x22; a[4] = -1; a[5] = 0; C(90, a); C(90, 1); C(125, 0x1000, 4096, 1); C(45, 0);
	C(24); C(199); C(164, -1, 0xffff, 5); C(208, -1, -1, -1); C(165, buf, buf + 4, buf + 8); C(209, buf, buf + 4, buf + 8); C(80, 64, buf); C(205, 64, buf); C(23, -1); C(70, -1, -1);
	C(76, 7, buf); C(191, 3, buf); C(191, 7, 0); buf[0] = 1; C(75, 99, buf); C(340, 0, 3, 0, buf); C(77, 0, buf); C(43, buf); C(13, 0); C(13, buf); C(78, buf, 0);
	a[0] = 0; a[1] = 1000; C(162, a, 0); C(265, 1, buf); C(403, 1, buf); C(266, 1, buf); C(406, 1, buf); a[0] = 0; a[1] = 0; a[2] = 1000; a[3] = 0; C(407, 1, 0, a, 0); a[1] = 10;
	sa[0] = 5; C(240, sa, 0, 4, a); C(422, sa, 128, 4, a); C(240, sa, 1, 1); C(240, sa, 3, 1, 2, sa + 1); a[1] = 0;
	sa[0] = 1; sa[1] = 0x200; sa[2] = 0x04000000; sa[3] = 0x1234; C(67, 10, sa, 0); C(67, 10, 0, sa + 4); sa[1] = 0x04000000; sa[2] = 0x1234; sa[3] = 0x200; sa[4] = 1; C(174, 10, sa, 0, 8); C(174, 10, 0, buf, 8); C(174, 10, 1, 0, 5);
	a[0] = 0x200; a[1] = 1; C(126, 0, a, buf); C(126, 2, buf, 0); C(126, 9, 0, 0); C(175, 0, a, buf, 8); C(175, 2, buf, 0, 8); C(175, 0, a, 0, 4); C(73, buf); C(176, buf, 8); C(48, 12, 1); C(48, 99, 0x1234); C(68); C(69, 0); C(186, 0, buf); C(37, -9999, 12);
	a[0] = 1 << 16; C(126, 0, a, 0); long p = C(2); if (!p) C(252, 3); C(7, p, buf, 0); C(114, -1, buf, 1, 0); C(7, -1, 0, 0x40000000);
	C(116, 1); C(122, buf); C(34, 0); C(243, 1); C(104, 1, 0, buf); C(105, 1, buf); C(124, 1); C(405, 99, buf); C(25, 1); C(264, 1, 1); C(404, 1, 1); C(259, 1, 0, 1); C(260, 99, 0, buf, buf); C(409, 99, 1, buf, buf); C(241, 0, 4, 1); C(242, 0, 128, buf);
	C(120, 0x1200011 + 0x80000, 0, 0, 1, 0); C(435, 1, 88); C(384, 0x1003, 1); C(104, 7, 1, 1); C(84, 1);
	C(252, 0);
}
