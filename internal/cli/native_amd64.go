package cli

import "farcall/syscalls"

const nativeABI = syscalls.AMD64
