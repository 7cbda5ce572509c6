// options: ; -v; -X verbose
// The raw style is not compared: strace -X raw leaves out a zero among the flags of statx.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define C(n, ...) syscall(SYS_##n, ##__VA_ARGS__)
static char buf[65536];

int main(void)
{
	void *bad = (void *)8;

	C(umask, 022);
	int fd = C(openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);
	C(statx, AT_FDCWD, "/dev/null", AT_STATX_SYNC_AS_STAT, STATX_BASIC_STATS, buf);
	C(statx, AT_FDCWD, "/etc/passwd", AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_MODE, buf);
	C(statx, fd, "", AT_STATX_FORCE_SYNC | AT_EMPTY_PATH, STATX_ALL, buf);
	C(statx, fd, "x", 0xffff, 0x80002fff, buf); C(statx, fd, "", 0x6001, 0x80000000, bad); C(statx, fd, bad, 1, 0, 0);
	C(statx, AT_FDCWD, "/usr/bin/passwd", AT_NO_AUTOMOUNT, STATX_SIZE | STATX_BTIME, buf);
	return 0;
}
