package main

// macroHeaders are the headers under include/ whose constants appear in arguments of system
// calls. The first header that gives a name counts.
var macroHeaders = []string{
	"asm/fcntl.h", "linux/fcntl.h", "linux/openat2.h", "linux/stat.h", "linux/fs.h", "linux/falloc.h", "linux/fadvise.h",
	"linux/mount.h", "linux/nsfs.h", "linux/magic.h", "linux/xattr.h", "linux/close_range.h", "linux/memfd.h", "linux/eventpoll.h",
	"linux/eventfd.h", "linux/inotify.h", "linux/fanotify.h", "linux/userfaultfd.h", "linux/timerfd.h", "linux/signalfd.h",
	"linux/pidfd.h", "linux/io_uring.h", "linux/io_uring/query.h", "linux/io_uring/bpf_filter.h", "linux/aio_abi.h", "linux/fiemap.h", "linux/quota.h", "linux/dqblk_xfs.h",
	"linux/fscrypt.h", "linux/fsverity.h", "linux/fsmap.h", "asm/poll.h", "linux/poll.h",
	"asm/mman.h", "linux/mman.h", "linux/mempolicy.h", "linux/prctl.h", "asm/prctl.h", "linux/sched.h", "linux/sched/types.h",
	"linux/wait.h", "linux/resource.h", "asm/resource.h", "linux/futex.h", "linux/rseq.h", "linux/membarrier.h", "linux/kcmp.h",
	"linux/ptrace.h", "asm/ptrace.h", "asm/ptrace-abi.h", "linux/elf.h", "linux/audit.h", "linux/seccomp.h", "linux/filter.h", "linux/bpf_common.h",
	"linux/bpf.h", "linux/btf.h", "linux/perf_event.h", "linux/hw_breakpoint.h", "linux/landlock.h", "linux/lsm.h", "linux/keyctl.h", "linux/capability.h", "linux/securebits.h",
	"linux/personality.h", "linux/reboot.h", "linux/kexec.h", "linux/module.h", "linux/random.h", "linux/ioprio.h", "linux/utsname.h",
	"linux/time.h", "linux/timex.h", "linux/times.h", "linux/ipc.h", "linux/sem.h", "linux/shm.h", "linux/msg.h", "linux/mqueue.h",
	"linux/signal.h", "asm/signal.h", "asm/siginfo.h", "asm/sigcontext.h", "asm/ucontext.h", "asm/ldt.h", "asm/vm86.h",
	"linux/socket.h", "asm/socket.h", "asm/sockios.h", "linux/sockios.h", "linux/un.h", "linux/in.h", "linux/in6.h", "linux/ipv6.h",
	"linux/ip.h", "linux/tcp.h", "linux/udp.h", "linux/icmp.h", "linux/icmpv6.h", "linux/igmp.h", "linux/sctp.h", "linux/dccp.h", "linux/mptcp.h", "linux/tls.h",
	"linux/netlink.h", "linux/rtnetlink.h", "linux/if_link.h", "linux/if_addr.h", "linux/if_addrlabel.h", "linux/neighbour.h", "linux/fib_rules.h",
	"linux/genetlink.h", "linux/netfilter.h", "linux/netfilter/nfnetlink.h", "linux/netfilter/nf_tables.h", "linux/netfilter_ipv4.h", "linux/netfilter_ipv6.h",
	"linux/netfilter_ipv4/ip_tables.h", "linux/netfilter_ipv6/ip6_tables.h", "linux/netfilter_arp/arp_tables.h", "linux/netfilter_bridge/ebtables.h", "linux/ip_vs.h",
	"linux/inet_diag.h", "linux/unix_diag.h", "linux/netlink_diag.h", "linux/packet_diag.h", "linux/sock_diag.h", "linux/smc_diag.h", "linux/vm_sockets_diag.h", "linux/cryptouser.h",
	"linux/xfrm.h", "linux/pkt_sched.h", "linux/pkt_cls.h", "linux/net_tstamp.h", "linux/errqueue.h", "linux/net.h", "linux/if.h", "linux/if_arp.h", "linux/if_ether.h", "linux/if_packet.h", "linux/if_xdp.h", "linux/if_alg.h", "linux/if_tun.h", "linux/if_bridge.h", "linux/if_bonding.h",
	"linux/if_tunnel.h", "linux/if_pppox.h", "linux/if_vlan.h", "linux/vm_sockets.h", "linux/tipc.h", "linux/rds.h", "linux/rxrpc.h", "linux/kcm.h", "linux/can.h", "linux/can/raw.h", "linux/can/bcm.h", "linux/can/isotp.h", "linux/can/j1939.h", "linux/can/gw.h", "linux/llc.h", "linux/x25.h", "linux/ax25.h",
	"linux/phonet.h", "linux/nfc.h", "linux/qrtr.h", "linux/mctp.h", "linux/atm.h", "linux/atalk.h", "linux/mroute.h", "linux/mroute6.h", "linux/route.h", "linux/ipv6_route.h", "linux/ethtool.h", "linux/connector.h", "linux/taskstats.h", "linux/cn_proc.h",
	"asm/termbits.h", "asm/termios.h", "asm/ioctls.h", "asm/ioctl.h", "linux/tty.h", "linux/tty_flags.h", "linux/tiocl.h", "linux/serial.h", "linux/kd.h", "linux/vt.h", "linux/keyboard.h",
	"linux/loop.h", "linux/blkpg.h", "linux/blkzoned.h", "linux/hdreg.h", "linux/cdrom.h", "linux/fd.h", "linux/dm-ioctl.h", "linux/nbd.h", "linux/rtc.h", "linux/watchdog.h", "linux/input-event-codes.h", "linux/input.h", "linux/uinput.h", "linux/hidraw.h",
	"linux/kvm.h", "asm/kvm.h", "linux/vhost.h", "linux/vfio.h", "linux/fuse.h", "linux/btrfs.h", "linux/auto_fs.h", "linux/auto_dev-ioctl.h", "linux/msdos_fs.h", "linux/f2fs.h",
	"linux/usbdevice_fs.h", "linux/mtio.h", "linux/i2c.h", "linux/i2c-dev.h", "linux/spi/spidev.h", "linux/gpio.h", "linux/dma-buf.h", "linux/udmabuf.h", "linux/sync_file.h", "linux/memfd.h", "linux/raid/md_u.h", "linux/raid/md_p.h",
	"linux/limits.h", "linux/auxvec.h", "asm/auxvec.h", "linux/param.h", "linux/major.h", "linux/oom.h", "linux/sysctl.h", "linux/acct.h", "linux/nfs.h", "linux/uio.h", "linux/utime.h", "linux/mqueue.h", "linux/types.h", "linux/errno.h",
	"mtd/mtd-abi.h", "mtd/ubi-user.h", "scsi/sg.h", "scsi/scsi_ioctl.h", "rdma/rdma_netlink.h",
}

// plainIoctls says which constants of a header are ioctl commands without the encoding of
// asm-generic/ioctl.h: a regular expression for the names, anchored at both ends. Values below
// minPlainIoctl are arguments of commands, but in scsi_ioctl.h.
var plainIoctls = map[string]string{
	"asm/ioctls.h":          `(TC|TIOC|FIO|SIOC)[A-Z0-9]+`,
	"asm-generic/ioctls.h":  `(TC|TIOC|FIO|SIOC)[A-Z0-9]+`,
	"asm-generic/sockios.h": `(FIO|SIOC)[A-Z0-9_]+`,
	"linux/atalk.h":         `SIOC[A-Z0-9]+`,
	"linux/ax25.h":          `SIOC[A-Z0-9]+`,
	"linux/cdrom.h":         `(CDROM[A-Z0-9_]+|DVD_READ_STRUCT|DVD_WRITE_STRUCT|DVD_AUTH)`,
	"linux/cyclades.h":      `CY[A-Z]+`,
	"linux/fb.h":            `FBIO[A-Z0-9_]+`,
	"linux/fd.h":            `FD[A-Z]+`,
	"linux/hdreg.h":         `HDIO_[A-Z0-9_]+`,
	"linux/i2c-dev.h":       `I2C_(RETRIES|TIMEOUT|SLAVE|SLAVE_FORCE|TENBIT|FUNCS|RDWR|PEC|SMBUS)`,
	"linux/if_bonding.h":    `BOND_[A-Z]+_OLD`,
	"linux/if_bridge.h":     `SIOC[A-Z0-9]+`,
	"linux/if_plip.h":       `SIOC[A-Z0-9]+`,
	"linux/if_pppox.h":      `PPPOE[A-Z]+`,
	"linux/kd.h":            `(GIO|PIO|KD)_?[A-Z0-9]+`,
	"linux/loop.h":          `LOOP_(SET|CLR|GET|CHANGE|CTL|CONFIGURE)[A-Z0-9_]*`,
	"linux/lp.h":            `LP[A-Z]+`,
	"linux/mroute.h":        `SIOC[A-Z0-9_]+`,
	"linux/mroute6.h":       `SIOC[A-Z0-9_]+`,
	"linux/phonet.h":        `SIOC[A-Z0-9]+`,
	"linux/sockios.h":       `SIOC[A-Z0-9_]+`,
	"linux/vm_sockets.h":    `IOCTL_[A-Z_]+`,
	"linux/vt.h":            `VT_(OPENQRY|GETMODE|SETMODE|GETSTATE|SENDSIG|RELDISP|ACTIVATE|WAITACTIVE|DISALLOCATE|RESIZE|RESIZEX|LOCKSWITCH|UNLOCKSWITCH|GETHIFONTMASK|WAITEVENT|SETACTIVATE|GETCONSIZECSRPOS)`,
	"linux/wireless.h":      `SIOC[A-Z0-9_]+`,
	"linux/x25.h":           `SIOC[A-Z0-9]+`,
	"linux/nvram.h":         `NVRAM_(INIT|SETCKS)`,
	"linux/random.h":        `RND[A-Z]+`,
	"linux/apm_bios.h":      `APM_IOC_[A-Z]+`,
	"linux/usb/cdc-wdm.h":   `IOCTL_[A-Z_]+`,
	"scsi/scsi_ioctl.h":     `SCSI_IOCTL_[A-Z_0-9]+`,
	"scsi/sg.h":             `SG_(SET|GET|EMULATED|IO|NEXT)(_[A-Z0-9_]+)?|SG_SCSI_RESET`,
}

const minPlainIoctl = 0x300
