//go:build linux

package mark

const sysSemtimedop = 220 // of this architecture's system call table
