/* every ABI LAST: make each call from 0 to LAST with all arguments -1. A seccomp filter
 * answers them, so that none is executed: a tracer sees them all, the machine none. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LEAVE 42 /* the one exit_group that the filter lets through */

static void call64(long nr, long arg)
{
	register long r10 __asm__("r10") = -1, r8 __asm__("r8") = -1, r9 __asm__("r9") = -1;
	__asm__ volatile("syscall" : "+a"(nr)
		: "D"(arg), "S"(-1L), "d"(-1L), "r"(r10), "r"(r8), "r"(r9)
		: "rcx", "r11", "memory");
}

static void call32(long nr)
{
	__asm__ volatile("push %%rbp; mov $-1, %%rbp; int $0x80; pop %%rbp" : "+a"(nr)
		: "b"(-1L), "c"(-1L), "d"(-1L), "S"(-1L), "D"(-1L) : "memory");
}

int main(int argc, char **argv)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LEAVE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 38 /* ENOSYS */),
	};
	struct sock_fprog prog = {sizeof filter / sizeof *filter, filter};
	if (argc != 3)
		return 2;
	int i386 = !strcmp(argv[1], "i386"), x32 = !strcmp(argv[1], "x32");
	long last = atol(argv[2]);

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog)) {
		perror("seccomp");
		return 1;
	}
	for (long nr = 0; nr <= last; nr++) {
		if (i386)
			call32(nr);
		else if (x32)
			call64(0x40000000 | nr, -1);
		else if (nr != 335 && nr != 336) /* uretprobe and uprobe bypass seccomp: SIGILL */
			call64(nr, -1);
	}
	call64(__NR_exit_group, LEAVE);
	return 1;
}
