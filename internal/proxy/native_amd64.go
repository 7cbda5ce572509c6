package proxy

import "farcall/syscalls"

const nativeABI = syscalls.AMD64
