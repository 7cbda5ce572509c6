// options: ; -v; -X verbose; -X raw
// differs: FAN_NOFD: strace gives a name to -1 there
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define C(n, ...) syscall(SYS_##n, ##__VA_ARGS__)

int main(void)
{
	void *bad = (void *)8;
	int p[2];
	uint64_t set = 1 << 1 | 1 << 9;
	struct timespec ts = {0, 1000}, zero = {0, 0}, wrong = {-1, 2000000000};
	long tv[2] = {0, 1000}, tv0[2] = {0, 0};

	C(umask, 022);
	C(pipe2, p, 0); C(write, p[1], "x", 1);
	struct pollfd f[3] = {{p[0], POLLIN | POLLPRI, 0}, {p[1], POLLOUT, 0}, {-1, 0xffff, 0}}, many[40] = {0}, none[1] = {{p[1], POLLIN}};
	for (int i = 0; i < 40; i++) many[i].fd = 100 + i;
	C(poll, f, 3, 0); C(poll, f, 1, -1); C(poll, f, 2, 10); C(poll, none, 1, 0); C(poll, 0, 0, 1); C(poll, bad, 2, 0); C(poll, many, 15, 0); C(poll, f, 0, 0); C(poll, 0, -1, 0);
	C(ppoll, f, 2, &zero, &set, 8); C(ppoll, none, 1, &zero, 0, 8); C(ppoll, f, 2, 0, bad, 8); C(ppoll, f, 2, &wrong, &set, 4); C(ppoll, bad, 2, bad, 0, 0); C(ppoll, none, 1, &ts, 0, 8); C(ppoll, f, 1, 0, 0, 8);
	fd_set r, w, e; FD_ZERO(&r); FD_ZERO(&w); FD_ZERO(&e); FD_SET(p[0], &r); FD_SET(p[1], &w); FD_SET(0, &e);
	C(select, 8, &r, &w, &e, tv0); FD_ZERO(&w); FD_SET(0, &w); C(select, 8, &r, 0, 0, tv0); FD_ZERO(&r); FD_SET(p[1], &r); C(select, 5, &r, 0, &e, tv0); C(select, 0, 0, 0, 0, tv0); C(select, -1, &r, &w, &e, 0); C(select, 5, bad, 0, 0, tv0); C(select, 1024, &r, 0, 0, bad);
	FD_ZERO(&r); FD_SET(p[0], &r); C(select, 8, &r, &r, 0, 0); FD_SET(70, &r); C(select, 71, &r, 0, 0, tv0);
	struct { void *p; long n; } sm = {&set, 8}, sn = {0, 8}, sb = {bad, 8}; FD_ZERO(&r); FD_SET(p[0], &r); FD_ZERO(&w);
	C(pselect6, 8, &r, &w, 0, &zero, &sm); FD_ZERO(&r); FD_SET(p[1], &r); C(pselect6, 8, &r, 0, 0, &zero, &sn); C(pselect6, 0, 0, 0, 0, &zero, 0L); C(pselect6, 0, 0, 0, 0, &zero, bad); C(pselect6, 0, 0, 0, 0, &wrong, &sb);
	int ep = C(epoll_create1, EPOLL_CLOEXEC); C(epoll_create, 10); C(epoll_create1, 7); C(epoll_create, -1);
	struct epoll_event ev = {EPOLLIN | EPOLLET | EPOLLRDHUP, {.u64 = 0x123456789abcdef0}}, odd = {0x08000000, {.u32 = 5}}, out[4];
	C(epoll_ctl, ep, EPOLL_CTL_ADD, p[0], &ev); C(epoll_ctl, ep, EPOLL_CTL_MOD, p[1], &odd); C(epoll_ctl, ep, EPOLL_CTL_DEL, 0, &ev); C(epoll_ctl, ep, 9, 0, bad); C(epoll_ctl, ep, EPOLL_CTL_ADD, -1, 0); C(epoll_ctl, ep, EPOLL_CTL_MOD, 1, bad);
	C(epoll_wait, ep, out, 4, 0); C(epoll_wait, ep, out, 4, 0); C(epoll_wait, ep, bad, 0, -1); C(epoll_wait, -1, out, 4, 5);
	C(epoll_ctl, ep, EPOLL_CTL_MOD, p[0], &ev); C(epoll_pwait, ep, out, 4, 10, &set, 8L); C(epoll_pwait, ep, out, 4, 0, 0, 8L); C(epoll_pwait, ep, out, 4, 0, bad, 7L);
	C(epoll_pwait2, ep, out, 4, &zero, &set, 8L); C(epoll_ctl, ep, EPOLL_CTL_MOD, p[0], &ev); C(epoll_pwait2, ep, out, 4, 0L, 0L, 0L); C(epoll_pwait2, -1, out, 4, &wrong, 0L, 8L);
	C(eventfd, 5); C(eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE); C(eventfd2, -1, 0x40);
	int s = C(signalfd4, -1, &set, 8, SFD_CLOEXEC | SFD_NONBLOCK); C(signalfd, s, &set, 8); C(signalfd4, 100, &set, 8, 5); C(signalfd4, -1, bad, 8, 0);
	int t = C(timerfd_create, CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK); C(timerfd_create, CLOCK_REALTIME, 0); C(timerfd_create, 99, 5);
	struct itimerspec it = {{1, 2}, {1000, 4}}, io;
	C(timerfd_settime, t, 0, &it, 0); it.it_value.tv_sec = 0; it.it_value.tv_nsec = 0; C(timerfd_settime, t, 3, &it, 0); C(timerfd_gettime, t, &io); C(timerfd_settime, -1, 0x10, &it, &io); C(timerfd_gettime, t, bad); C(timerfd_settime, t, 0, bad, bad); C(timerfd_settime, t, 0, &it, &io);
	int in = C(inotify_init1, IN_CLOEXEC | IN_NONBLOCK); C(inotify_init); C(inotify_init1, 3);
	C(inotify_add_watch, in, "/", IN_ALL_EVENTS); C(inotify_add_watch, in, "/missing", IN_CREATE | IN_ONLYDIR | IN_ONESHOT); C(inotify_add_watch, in, bad, 0x1f000000); C(inotify_add_watch, in, "/", 0); C(inotify_rm_watch, in, 1); C(inotify_rm_watch, in, -1);
	C(fanotify_init, FAN_CLASS_NOTIF | FAN_CLOEXEC, O_RDONLY); C(fanotify_init, 0xffff9fff, 0xffffffff); C(fanotify_init, FAN_CLASS_CONTENT | FAN_NONBLOCK | FAN_REPORT_FID, O_RDWR | O_LARGEFILE); C(fanotify_init, 0xc, 0);
	C(fanotify_mark, -1, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN | FAN_EVENT_ON_CHILD, AT_FDCWD, "/"); C(fanotify_mark, -1, FAN_MARK_FLUSH, 0UL, -1, 0); C(fanotify_mark, -1, 0xffff0000, 0xffffffff00000000UL, 5, bad); C(fanotify_mark, 3, FAN_MARK_REMOVE | FAN_MARK_FILESYSTEM | FAN_MARK_ONLYDIR, FAN_ACCESS | FAN_MODIFY | FAN_ONDIR, AT_FDCWD, "missing");
	return 0;
}
