// Package include holds the header for programs in C and C++ that mark their own regions.
package include

import _ "embed"

// Header is farcall.h.
//
//go:embed farcall.h
var Header string
