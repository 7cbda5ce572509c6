/* Make each ioctl whose command stands, in hexadecimal, on a line of the standard input. */
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	unsigned long cmd;
	while (scanf("%lx", &cmd) == 1)
		syscall(SYS_ioctl, -1, cmd, 0x1000L);
	return 0;
}
