// Package linux gives facts of the running kernel, and of processes, as plain values.
//
// What can be read from files is read through an [io/fs.FS] that stands for the root directory (os.DirFS("/") for
// the machine itself), so that it can be tested with the files of machines that are not at hand. What has to be
// tried out is tried by functions named Probe..., which leave nothing behind and cannot hang.
//
// The package decides nothing about traces. [Situation] holds the kernel's rules for who may trace whom, and says
// which of them is in the way.
package linux
