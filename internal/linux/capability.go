package linux

import (
	"fmt"
	"math/bits"
	"strings"

	"golang.org/x/sys/unix"
)

// A CapSet is a set of capabilities, bit n standing for capability n (capabilities(7)).
type CapSet uint64

// CapsOf makes a set.
func CapsOf(caps ...int) CapSet {
	var s CapSet
	for _, c := range caps {
		s |= 1 << c
	}
	return s
}

// Has tells whether a capability (unix.CAP_*) is in the set.
func (s CapSet) Has(c int) bool { return s&(1<<c) != 0 }

// Without is s less the capabilities of t.
func (s CapSet) Without(t CapSet) CapSet { return s &^ t }

// capNames are the names in include/uapi/linux/capability.h, without CAP_, in order.
var capNames = [...]string{
	unix.CAP_CHOWN: "chown", unix.CAP_DAC_OVERRIDE: "dac_override", unix.CAP_DAC_READ_SEARCH: "dac_read_search",
	unix.CAP_FOWNER: "fowner", unix.CAP_FSETID: "fsetid", unix.CAP_KILL: "kill", unix.CAP_SETGID: "setgid",
	unix.CAP_SETUID: "setuid", unix.CAP_SETPCAP: "setpcap", unix.CAP_LINUX_IMMUTABLE: "linux_immutable",
	unix.CAP_NET_BIND_SERVICE: "net_bind_service", unix.CAP_NET_BROADCAST: "net_broadcast",
	unix.CAP_NET_ADMIN: "net_admin", unix.CAP_NET_RAW: "net_raw", unix.CAP_IPC_LOCK: "ipc_lock",
	unix.CAP_IPC_OWNER: "ipc_owner", unix.CAP_SYS_MODULE: "sys_module", unix.CAP_SYS_RAWIO: "sys_rawio",
	unix.CAP_SYS_CHROOT: "sys_chroot", unix.CAP_SYS_PTRACE: "sys_ptrace", unix.CAP_SYS_PACCT: "sys_pacct",
	unix.CAP_SYS_ADMIN: "sys_admin", unix.CAP_SYS_BOOT: "sys_boot", unix.CAP_SYS_NICE: "sys_nice",
	unix.CAP_SYS_RESOURCE: "sys_resource", unix.CAP_SYS_TIME: "sys_time", unix.CAP_SYS_TTY_CONFIG: "sys_tty_config",
	unix.CAP_MKNOD: "mknod", unix.CAP_LEASE: "lease", unix.CAP_AUDIT_WRITE: "audit_write",
	unix.CAP_AUDIT_CONTROL: "audit_control", unix.CAP_SETFCAP: "setfcap", unix.CAP_MAC_OVERRIDE: "mac_override",
	unix.CAP_MAC_ADMIN: "mac_admin", unix.CAP_SYSLOG: "syslog", unix.CAP_WAKE_ALARM: "wake_alarm",
	unix.CAP_BLOCK_SUSPEND: "block_suspend", unix.CAP_AUDIT_READ: "audit_read", unix.CAP_PERFMON: "perfmon",
	unix.CAP_BPF: "bpf", unix.CAP_CHECKPOINT_RESTORE: "checkpoint_restore",
}

// CapName is the name of a capability in the form CAP_SYS_PTRACE; numbers without a name give CAP_41.
func CapName(c int) string {
	if c < len(capNames) {
		return "CAP_" + strings.ToUpper(capNames[c])
	}
	return fmt.Sprintf("CAP_%d", c)
}

// String lists the capabilities with commas in between, "none" if there are none.
func (s CapSet) String() string {
	if s == 0 {
		return "none"
	}
	var names []string
	for rest := uint64(s); rest != 0; rest &= rest - 1 {
		names = append(names, CapName(bits.TrailingZeros64(rest)))
	}
	return strings.Join(names, ",")
}

// EffectiveCaps asks the kernel for the effective capabilities of the calling thread, for which /proc need not be mounted.
func EffectiveCaps() CapSet {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&hdr, &data[0]) != nil {
		return 0
	}
	return CapSet(data[1].Effective)<<32 | CapSet(data[0].Effective)
}
