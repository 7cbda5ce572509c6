// Package compare tells in what two traces of the same command differ.
//
// A trace is the text that `strace -f -o FILE` writes. Two runs of one command never give the same text: process ids,
// addresses, times and the interleaving of threads differ. The package takes a trace apart into threads (Parse), replaces
// what cannot be equal by tokens (the table Rules, each rule with its reason), pairs the threads of two traces by
// ancestry, aligns their calls, and reports what is left (Compare).
//
// What the normaliser cannot know to be noise, further traces can show (Series). A difference between A and B1 is called
// noise when B1 and B2 differ at the same place in the same way, or when it is a choice of the scheduler that varies among
// the references. And it is lasting when further traces by the tracer of A have it as well: a fault is there each time.
//
// TestAgainstStrace runs this over the commands of the table Commands; cmd/tracediff does it for two files.
package compare
