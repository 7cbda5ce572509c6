package main

import (
	"fmt"

	"farcall/internal/gen/constants"
	"farcall/syscalls"
)

// consts are the kernel's constants by architecture: amd64 and arm64.
type consts [2]*constants.Set

func loadConsts() (consts, error) {
	var c consts
	for i, arch := range []string{"amd64", "arm64"} {
		s, err := constants.Load(arch)
		if err != nil {
			return c, fmt.Errorf("load constants of %s: %w", arch, err)
		}
		c[i] = s
	}
	return c, nil
}

// Value implements syscalls.Consts.
func (c consts) Value(a syscalls.ABI, name string) (uint64, bool) {
	if a == syscalls.ARM64 {
		return c[1].Value(name)
	}
	return c[0].Value(name)
}
