// options: ; -v; -X verbose; -X raw
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
	struct timespec old[2] = {{1000000000, 123456789}, {-5, 0}};

	C(umask, 022);
	C(stat, "/dev/null", buf); C(stat, "/dev/missing", buf); C(lstat, "/bin", buf); C(stat, "/", bad);
	C(lstat, bad, buf); C(stat, "/etc/passwd", buf); C(fstat, 0, buf); C(fstat, -1, buf); C(fstat, 0, 0);
	int fd = C(openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);
	C(newfstatat, AT_FDCWD, "/usr/bin/passwd", buf, 0); C(newfstatat, fd, "", buf, AT_EMPTY_PATH);
	C(newfstatat, fd, "dev/tty", buf, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT); C(newfstatat, fd, "bin", buf, AT_SYMLINK_NOFOLLOW);
	C(newfstatat, fd, "bin", buf, 0xffff); C(newfstatat, fd, "bin", buf, 1); C(newfstatat, AT_FDCWD, "/usr/lib", buf, AT_NO_AUTOMOUNT);
	C(mkdir, "d", 0700); C(mkdir, "d/one", 0700); C(mknod, "d/a file with a long name that goes beyond thirty-two", S_IFREG | 0600, 0);
	C(symlink, "x", "d/li\nnk"); C(mknod, "d/fifo", S_IFIFO | 0600, 0);
	C(utimensat, AT_FDCWD, "d/one", old, 0);
	int d = C(openat, AT_FDCWD, "d", O_RDONLY | O_DIRECTORY);
	C(lseek, d, 0, 0); C(getdents64, d, bad, 1000); C(getdents64, d, buf, 1); C(getdents, d, buf, -1); C(getdents64, -1, buf, 100);
	C(lseek, d, 0, 2); C(getdents64, d, buf, 32768); C(getdents, d, buf, 32768);
	C(statfs, "/proc", buf); C(fstatfs, 0, buf); C(statfs, "/missing", buf); C(fstatfs, -1, bad);
	C(statfs, "/sys", buf); C(statfs, "/dev", buf);
	C(ustat, 0x123456, buf); C(ustat, 5, bad);
	return 0;
}
