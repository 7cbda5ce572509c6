package server

import "farcall/syscalls"

const native = syscalls.ARM64
