//go:build linux

package mark

const sysSemtimedop = 192 // of this architecture's system call table
