//go:build !race

package compare

// stride is how many mutants are passed over for each that is tried: all of them take a minute. It is a prime, so that all
// kinds of places get their turn.
const stride = 7

// faultyCommands is how many commands have faults inflicted on their traces.
const faultyCommands = 5
