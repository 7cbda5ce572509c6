// options: ; -v; -X verbose; -X raw
// differs: 0x5402, {c_iflag=0xffffffff: as for IBSHIFT
// differs: 0xc0189436: FIDEDUPERANGE with -X raw
// differs: 0xc020660b: FIEMAP with -X raw
// differs: 0x4c04, {: LOOP_SET_STATUS64 with -X raw
// differs: 0x4c02, {: LOOP_SET_STATUS with -X raw
// differs: 0x4c0a, {: LOOP_CONFIGURE with -X raw
// differs: FIDEDUPERANGE: its array of varying length is not described
// differs: FIEMAP: its array of varying length is not described
// differs: LOOP_SET_STATUS: the old structure is not described, and zero members stand only in strace -v
// differs: LOOP_CONFIGURE: the same
// differs: IBSHIFT: strace -X writes the shift as an operator
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/fiemap.h>
#include <linux/fscrypt.h>
#include <linux/hdreg.h>
#include <linux/blkpg.h>
#include <stdint.h>
#include <string.h>
#include <asm/termbits.h>
#include <asm/ioctls.h>
#include <linux/tty.h>
#include <sys/syscall.h>
#include <unistd.h>

#define C(n, ...) syscall(SYS_##n, ##__VA_ARGS__)
#define IO(...) syscall(SYS_ioctl, __VA_ARGS__)

int main(void)
{
	void *bad = (void *)8;
	struct termios t;
	struct termios2 t2;
	struct { unsigned short i, o, c, l; unsigned char line, cc[8]; } ta;
	short ws[4] = {24, 80, 1, 2};
	char buf[4096] = "";
	int n = 1, zero = 0;

	C(umask, 022);
	int m = C(openat, AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY);
	IO(m, TIOCGPTN, &n); IO(m, TIOCSPTLCK, &zero); IO(m, TIOCGPTLCK, &n); IO(m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	IO(m, TCGETS, &t); IO(m, TCSETS, &t); IO(m, TCSETSW, &t); IO(m, TCSETSF, &t); IO(m, TCGETS, bad); IO(m, TCSETS, bad); IO(m, TCGETS, 0);
	IO(m, TCGETS2, &t2); IO(m, TCSETS2, &t2); IO(m, TCGETA, &ta); IO(m, TCSETA, &ta); IO(m, TCGETA, bad); IO(m, TCSETSW2, bad);
	t.c_iflag = -1; t.c_oflag = -1; t.c_cflag = -1; t.c_lflag = -1; t.c_line = 77; memset(t.c_cc, 0x41, sizeof t.c_cc);
	IO(-1, TCSETS, &t); t.c_iflag = 0; t.c_oflag = 0; t.c_cflag = 0; t.c_lflag = ICANON; IO(-1, TCSETS, &t);
	IO(0, TCGETS, &t); IO(-1, TCGETS, &t);
	IO(m, TIOCSWINSZ, ws); IO(m, TIOCGWINSZ, ws); IO(m, TIOCGWINSZ, bad); IO(-1, TIOCGWINSZ, ws);
	IO(m, TIOCGPGRP, &n); IO(m, TIOCSPGRP, &n); IO(m, TIOCGSID, &n); IO(m, FIONREAD, &n); IO(m, TIOCOUTQ, &n); IO(m, FIONBIO, &n); IO(m, FIOASYNC, &zero);
	IO(-1, FIONREAD, &n); IO(-1, FIONBIO, &n); IO(m, FIONBIO, 0);
	IO(m, FIOCLEX); IO(m, FIONCLEX); IO(m, TIOCSCTTY, 1); IO(m, TIOCNOTTY); IO(m, TCSBRK, 1); IO(m, TCSBRKP, 0); IO(m, TCXONC, 2); IO(m, TCFLSH, 0); IO(m, TCFLSH, 77); IO(m, TCXONC, 8);
	IO(m, TIOCEXCL); IO(m, TIOCNXCL); IO(m, TIOCGETD, &n); IO(m, TIOCSETD, &n); IO(m, TIOCSTI, "x"); IO(m, TIOCPKT, &n); IO(m, TIOCMGET, &n); IO(m, TIOCMSET, &n); IO(m, TIOCMBIS, &n);
	IO(m, TIOCGSOFTCAR, &n); IO(m, TIOCSSOFTCAR, &n); IO(m, TIOCCONS); IO(m, TIOCGEXCL, &n); IO(m, TIOCGPKT, &n); IO(m, TIOCVHANGUP); IO(m, TIOCGDEV, &n); IO(m, TIOCSIG, 2); IO(m, TIOCSBRK); IO(m, TIOCCBRK); IO(m, TIOCMIWAIT, 0x40);
	IO(m, TIOCGSERIAL, buf); IO(m, TIOCSERGETLSR, &n); IO(m, TIOCGLCKTRMIOS, &t); IO(m, TIOCSLCKTRMIOS, &t); IO(m, TIOCGICOUNT, buf); IO(m, TIOCLINUX, buf); IO(m, 0x4b44, &n);
	IO(m, 0x12345678, 0x9abc); IO(m, -1, -1L); IO(m, 0, 0); IO(m, 0x80045499, 1); IO(m, 0xc0105401, &t); IO(m, 0x5499, 0); IO(m, 0x40045400, 0); IO(m, 0x20005455, 0);
	int fd = C(openat, AT_FDCWD, "file", O_RDWR | O_CREAT, 0644), fd2 = C(openat, AT_FDCWD, "file2", O_RDWR | O_CREAT, 0644);
	long fl = 0x10;
	IO(fd, FS_IOC_GETFLAGS, &fl); IO(fd, FS_IOC_SETFLAGS, &fl); fl = -1; IO(-1, FS_IOC_SETFLAGS, &fl); IO(fd, FS_IOC_GETVERSION, &fl); IO(fd, FS_IOC_SETVERSION, &n);
	struct fsxattr fx; IO(fd, FS_IOC_FSGETXATTR, &fx); memset(&fx, 0xff, sizeof fx); IO(-1, FS_IOC_FSSETXATTR, &fx); fx.fsx_xflags = 1; IO(-1, FS_IOC_FSSETXATTR, &fx); IO(-1, FS_IOC_FSSETXATTR, bad); IO(-1, FS_IOC_FSGETXATTR, &fx);
	IO(fd, FICLONE, fd2); struct file_clone_range cr = {fd2, 1, 2, 3}; IO(fd, FICLONERANGE, &cr); IO(fd, FICLONERANGE, bad);
	struct { struct file_dedupe_range d; struct file_dedupe_range_info i[2]; } dd = {{0, 10, 2}, {{fd2, 5}, {fd2, 6}}}; IO(fd, FIDEDUPERANGE, &dd); IO(fd, FIDEDUPERANGE, bad); IO(-1, FIDEDUPERANGE, &dd);
	struct { struct fiemap f; struct fiemap_extent e[4]; } fm = {{0, -1UL, 1, 0, 4}}; C(write, fd, "x", 1); IO(fd, FS_IOC_FIEMAP, &fm); fm.f.fm_extent_count = 0; IO(fd, FS_IOC_FIEMAP, &fm); fm.f.fm_flags = 0x80; IO(fd, FS_IOC_FIEMAP, &fm); IO(fd, FS_IOC_FIEMAP, bad);
	struct fstrim_range tr = {0, 100, 0}; IO(-1, FITRIM, &tr); IO(fd, FITRIM, &tr); IO(fd, FITRIM, bad); IO(fd, FIGETBSZ, &n); IO(fd, FIBMAP, &n); IO(-1, FIFREEZE, 1); IO(-1, FITHAW, 1); IO(fd, FIOQSIZE, buf);
	IO(fd, FS_IOC_GETFSLABEL, buf); IO(fd, FS_IOC_SETFSLABEL, bad); IO(-1, FS_IOC_GET_ENCRYPTION_PWSALT, buf);
	int z = C(openat, AT_FDCWD, "/dev/null", O_RDONLY);
	uint64_t two[4] = {1, 2, 3, 4};
	IO(z, BLKGETSIZE64, two); IO(-1, BLKGETSIZE, two); IO(-1, BLKROSET, &n); IO(-1, BLKROGET, &n); IO(-1, BLKRRPART); IO(-1, BLKFLSBUF); IO(-1, BLKRASET, 5); IO(-1, BLKRAGET, &fl); IO(-1, BLKSSZGET, &n); IO(-1, BLKBSZGET, &n); IO(-1, BLKBSZSET, two);
	IO(-1, BLKDISCARD, two); IO(-1, BLKSECDISCARD, two); IO(-1, BLKZEROOUT, two); IO(-1, BLKDISCARDZEROES, &n); IO(-1, BLKIOMIN, &n); IO(-1, BLKIOOPT, &n); IO(-1, BLKALIGNOFF, &n); IO(-1, BLKPBSZGET, &n); IO(-1, BLKROTATIONAL, &n); IO(-1, BLKSECTGET, &n); IO(-1, BLKDISCARD, bad); IO(-1, BLKTRACESTART); IO(-1, BLKFRASET, 3);
	struct hd_geometry g; IO(-1, HDIO_GETGEO, &g); struct blkpg_partition pp = {0, 512, 3, "dev", "vol"}; struct blkpg_ioctl_arg pa = {BLKPG_ADD_PARTITION, 0, sizeof pp, &pp}; IO(-1, BLKPG, &pa); IO(-1, BLKPG, bad); pa.op = 99; pa.data = bad; IO(-1, BLKPG, &pa);
	struct loop_info64 li; memset(&li, 0, sizeof li); strcpy((char *)li.lo_file_name, "name"); li.lo_flags = 5; IO(-1, LOOP_SET_STATUS64, &li); IO(-1, LOOP_GET_STATUS64, &li); struct loop_info lo; memset(&lo, 0, sizeof lo); lo.lo_flags = 0xffff; lo.lo_encrypt_type = 99; IO(-1, LOOP_SET_STATUS, &lo);
	IO(-1, LOOP_SET_FD, fd); IO(-1, LOOP_CLR_FD); IO(-1, LOOP_CHANGE_FD, fd); IO(-1, LOOP_SET_CAPACITY); IO(-1, LOOP_SET_DIRECT_IO, 1); IO(-1, LOOP_SET_BLOCK_SIZE, 4096); IO(-1, LOOP_CTL_ADD, 5); IO(-1, LOOP_CTL_REMOVE, 5); IO(-1, LOOP_CTL_GET_FREE);
	struct loop_config lc; memset(&lc, 0, sizeof lc); lc.fd = fd; IO(-1, LOOP_CONFIGURE, &lc); li.lo_flags = 0xf000; li.lo_encrypt_type = 18; li.lo_encrypt_key_size = 4; IO(-1, LOOP_SET_STATUS64, &li);
	return 0;
}
