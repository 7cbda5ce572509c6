package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"farcall/syscalls"
)

type consts [2]map[string]uint64

func loadConsts() (consts, error) {
	var c consts
	for i, arch := range []string{"amd64", "arm64"} {
		c[i] = map[string]uint64{}
		for _, f := range []string{"macros", "ioctls"} {
			text, err := os.ReadFile(filepath.Join(os.Args[1], f+"-"+arch+".txt"))
			if err != nil {
				return c, err
			}
			for _, l := range strings.Split(string(text), "\n") {
				w := strings.Fields(l)
				if len(w) < 2 || w[0] == "#" {
					continue
				}
				if n, err := strconv.ParseUint(w[1], 0, 64); err == nil {
					c[i][w[0]] = n
				} else if n, err := strconv.ParseInt(w[1], 0, 64); err == nil {
					c[i][w[0]] = uint64(n)
				}
			}
		}
	}
	return c, nil
}

// Value implements syscalls.Consts.
func (c consts) Value(a syscalls.ABI, name string) (uint64, bool) {
	if a == syscalls.ARM64 {
		if v, ok := c[1][name]; ok {
			return v, true
		}
	}
	v, ok := c[0][name]
	return v, ok
}
