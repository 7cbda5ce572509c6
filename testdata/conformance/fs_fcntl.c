// options: ; -v; -X verbose; -X raw
// differs: F_??? */, 0x7ff: strace 6.1 does not know the commands of hints for writing
// differs: F_??? */, 0x8): the same
// differs: 0x40b, : the same
// differs: 0x40c, : the same
// differs: 0x40e, : the same
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define C(n, ...) syscall(SYS_##n, ##__VA_ARGS__)

int main(void)
{
	void *bad = (void *)8;
	struct flock lk = {F_WRLCK, SEEK_SET, 1, 10, 0}, odd = {77, 9, -1, -2, 5};
	struct f_owner_ex own = {F_OWNER_PID, 1}, own2 = {9, -1};
	uint64_t hint = 3;
	int p[2];

	C(umask, 022);
	int fd = C(openat, AT_FDCWD, "file", O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK, 0644);
	C(fcntl, fd, F_DUPFD, 20); C(fcntl, fd, F_DUPFD_CLOEXEC, 30); C(fcntl, -1, F_DUPFD, -5);
	C(fcntl, fd, F_GETFD); C(fcntl, 30, F_GETFD); C(fcntl, fd, F_SETFD, FD_CLOEXEC); C(fcntl, fd, F_SETFD, 0); C(fcntl, fd, F_SETFD, 6);
	C(fcntl, fd, F_SETFD, -1L);
	C(fcntl, fd, F_GETFL); C(fcntl, -1, F_GETFL); C(fcntl, fd, F_SETFL, O_RDONLY); C(fcntl, fd, F_SETFL, O_RDWR | O_NONBLOCK | O_ASYNC);
	C(fcntl, fd, F_SETFL, -1L);
	C(fcntl, fd, F_GETFL);
	C(fcntl, fd, F_GETLK, &lk); C(fcntl, fd, F_SETLK, &lk); C(fcntl, fd, F_SETLKW, &lk); C(fcntl, fd, F_GETLK, &odd); C(fcntl, fd, F_SETLK, bad);
	C(fcntl, fd, F_SETLK, &odd); lk.l_type = F_UNLCK; C(fcntl, fd, F_SETLK, &lk); lk.l_type = F_RDLCK;
	C(fcntl, fd, F_OFD_SETLK, &lk); lk.l_pid = 0; C(fcntl, fd, F_OFD_GETLK, &lk); C(fcntl, fd, F_OFD_SETLKW, 0); C(fcntl, -1, F_GETLK, 0);
	C(fcntl, fd, F_SETOWN, 1); C(fcntl, fd, F_GETOWN); C(fcntl, fd, F_SETOWN, -1); C(fcntl, fd, F_GETOWN);
	C(fcntl, fd, F_SETOWN_EX, &own); C(fcntl, fd, F_GETOWN_EX, &own); C(fcntl, fd, F_SETOWN_EX, &own2); C(fcntl, fd, F_GETOWN_EX, bad);
	C(fcntl, fd, F_SETSIG, SIGIO); C(fcntl, fd, F_GETSIG); C(fcntl, fd, F_SETSIG, 0); C(fcntl, fd, F_GETSIG); C(fcntl, fd, F_SETSIG, 100); C(fcntl, fd, F_SETSIG, 40); C(fcntl, fd, F_GETSIG);
	C(pipe2, p, 0); C(fcntl, p[0], F_GETPIPE_SZ); C(fcntl, p[0], F_SETPIPE_SZ, 8192); C(fcntl, fd, F_SETPIPE_SZ, -1L);
	C(fcntl, fd, F_SETLEASE, F_RDLCK); C(fcntl, fd, F_GETLEASE); C(fcntl, fd, F_SETLEASE, 9); C(fcntl, fd, F_SETLEASE, F_UNLCK);
	int d = C(openat, AT_FDCWD, ".", O_RDONLY | O_DIRECTORY);
	C(fcntl, d, F_NOTIFY, DN_ACCESS | DN_MULTISHOT); C(fcntl, d, F_NOTIFY, 0x7fffffc0); C(fcntl, d, F_NOTIFY, 0); C(fcntl, fd, F_NOTIFY, 0x100);
	int m = C(memfd_create, "m", 2);
	C(fcntl, m, F_GET_SEALS); C(fcntl, m, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW); C(fcntl, m, F_GET_SEALS); C(fcntl, m, F_ADD_SEALS, 0x8000); C(fcntl, fd, F_GET_SEALS);
	C(fcntl, fd, F_GET_RW_HINT, &hint); C(fcntl, fd, F_SET_RW_HINT, &hint); hint = 99; C(fcntl, fd, F_SET_RW_HINT, &hint); C(fcntl, fd, F_GET_FILE_RW_HINT, bad);
	hint = 2; C(fcntl, fd, F_SET_FILE_RW_HINT, &hint);
	C(fcntl, fd, 1000, 0x1234); C(fcntl, fd, -1, -1L); C(fcntl, fd, 17, 0); C(fcntl, fd, 0x406, 1); C(fcntl, fd, 12, &lk); C(fcntl, fd, 1029, 0);
	C(flock, fd, 1);
	return 0;
}
