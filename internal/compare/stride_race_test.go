//go:build race

package compare

// stride is greater under the race detector, which takes twenty times as long and has nothing to find in a single goroutine.
const stride = 101

const faultyCommands = 2
