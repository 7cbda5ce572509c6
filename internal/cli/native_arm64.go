package cli

import "farcall/syscalls"

const nativeABI = syscalls.ARM64
