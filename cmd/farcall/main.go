// Farcall sees, and can change, the system calls of programs.
package main

import (
	"os"

	"farcall/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr))
}
