// options: ; -v
// The other styles are not compared: strace writes aio_lio_opcode in decimal there.
// differs: features=: strace 6.1 does not know the newer features
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define C(n, ...) syscall(SYS_##n, ##__VA_ARGS__)

int main(void)
{
	void *bad = (void *)8;
	aio_context_t ctx = 0;
	char buf[100] = "data to write";

	C(umask, 022);
	int fd = C(openat, AT_FDCWD, "file", O_RDWR | O_CREAT, 0600);
	C(io_setup, 8, &ctx); C(io_setup, 0, bad); C(io_setup, -1, 0L);
	struct iovec iov[2] = {{buf, 3}, {buf + 3, 4}};
	struct iocb w = {.aio_data = 0x1234, .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd, .aio_buf = (long)buf, .aio_nbytes = 13, .aio_offset = 5}, r = w, v = w, odd = {.aio_lio_opcode = IOCB_CMD_NOOP, .aio_fildes = -1, .aio_flags = 1, .aio_resfd = 5, .aio_key = 9, .aio_rw_flags = 1}, s = {.aio_lio_opcode = IOCB_CMD_FSYNC, .aio_fildes = fd};
	r.aio_lio_opcode = IOCB_CMD_PREAD; r.aio_data = 0; v.aio_lio_opcode = IOCB_CMD_PWRITEV; v.aio_buf = (long)iov; v.aio_nbytes = 2;
	struct iocb *list[] = {&w, &r, &v}, *list2[] = {&odd, bad, 0}, *list3[] = {&s};
	C(io_submit, ctx, 1L, list); C(io_submit, ctx, 3L, list); C(io_submit, ctx, 3L, list2); C(io_submit, ctx, 1L, list3); C(io_submit, ctx, 0L, list); C(io_submit, ctx, -1L, list); C(io_submit, ctx, 1L, bad); C(io_submit, 1L, 1L, 0L);
	struct io_event ev[8]; struct timespec ts = {0, 5}; uint64_t set = 2; struct { void *p; long n; } us = {&set, 8};
	C(io_getevents, ctx, 5L, 8L, ev, 0L); C(io_getevents, ctx, 1L, 4L, ev, &ts); C(io_getevents, ctx, 0L, 4L, ev, 0L); C(io_getevents, ctx, 1L, 4L, ev, bad); C(io_getevents, -1L, 1L, 4L, ev, &ts); C(io_pgetevents, ctx, 0L, 2L, ev, &ts, &us); C(io_pgetevents, ctx, 0L, 2L, ev, 0L, 0L);
	C(io_cancel, ctx, &w, ev); C(io_cancel, ctx, bad, bad); C(io_destroy, ctx); C(io_destroy, -1L);
	struct io_uring_params p; memset(&p, 0, sizeof p); p.flags = IORING_SETUP_CLAMP;
	int u = C(io_uring_setup, 4, &p); p.flags = 0xfff00000; C(io_uring_setup, 4, &p); C(io_uring_setup, -1, bad); C(io_uring_setup, 0, 0L);
	C(io_uring_enter, u, 0, 0, IORING_ENTER_GETEVENTS, 0L, 8L); C(io_uring_enter, -1, 1, 2, 0x100, bad, 8L); C(io_uring_enter, u, 0, 0, 0, &set, 8L);
	int fds[2] = {fd, 1}; C(io_uring_register, u, IORING_REGISTER_FILES, fds, 2); C(io_uring_register, u, IORING_UNREGISTER_FILES, 0L, 0); C(io_uring_register, u, IORING_REGISTER_BUFFERS, iov, 1); C(io_uring_register, u, IORING_UNREGISTER_BUFFERS, 0L, 0); C(io_uring_register, u, 999, bad, 5); C(io_uring_register, u, IORING_REGISTER_EVENTFD, fds, 1); C(io_uring_register, u, IORING_REGISTER_FILES, bad, 2);
	return 0;
}
