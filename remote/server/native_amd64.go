package server

import "farcall/syscalls"

const native = syscalls.AMD64
