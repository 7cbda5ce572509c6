package proxy

import "farcall/syscalls"

const nativeABI = syscalls.ARM64
