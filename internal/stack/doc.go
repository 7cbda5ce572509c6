// Package stack tells what call stack a stopped thread has, with names: it brings together what a
// process has mapped, the symbols and frame information of those files, and the thread's registers
// and memory.
//
// A [Files] keeps what was read of files, for all processes of a trace. A [Space] is one process's
// view: its mappings are read again only when /proc/PID/statm shows that they have changed, or when
// an address is in none of them.
package stack
