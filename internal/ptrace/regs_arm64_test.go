package ptrace

const (
	nativeABI    = "arm64"
	prstatusSize = arm64RegsSize
	fpSize       = 528
)
