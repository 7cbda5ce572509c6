// Package unwind walks stacks: from the registers of a stopped thread to the chain of calls that
// it is in.
//
// A [Table] holds what one file says about its frames: call frame information in .eh_frame and
// .debug_frame, and Go's function table. An [Unwinder] goes from frame to frame through the tables
// of whatever is mapped where, as a [Space] tells, and falls back on frame pointers where there is
// no table and what they point to makes sense.
//
// The package touches no process: registers come as numbers ([Regs]), memory through [Memory].
// Both tables and memory are taken for hostile: every loop is bounded, and what contradicts itself
// ends the walk with a reason ([End]).
//
// The formats: DWARF 5, 6.4 (call frame information) and 2.5 (expressions); the Linux Standard
// Base, Exception Frames; the x86-64, i386 and arm64 psABIs for register numbers.
package unwind
