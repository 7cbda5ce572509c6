// Calls of other ABIs from a 64-bit program: int 0x80 (getpid, number 20), and an x32 number (getppid).
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
	long r, pid = getpid();
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20), "b"(0x11), "c"(0x22) : "memory", "r8", "r9", "r10", "r11");
	long x = syscall(0x40000000 | SYS_getppid);
	printf("%d %d\n", r == pid, x > 0);
	fflush(stdout);
	if (argc > 1)
		execl(argv[1], argv[1], (char *)0);
	return 0;
}
