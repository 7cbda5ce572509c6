// Package wire is the form in which system calls travel to another host: frames, the messages in them, and the check that
// makes a call safe to execute. It touches no process and no network; docs/wire.md describes the same for who writes another
// client or server.
//
// What is sent does not depend on either side's architecture. Calls have the numbers, flags the values, and errors the
// numbers of Linux's generic interface (include/uapi/asm-generic), structures the layout that all its 64-bit little-endian
// architectures share; a file's attributes are always a struct statx.
package wire
