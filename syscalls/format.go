package syscalls

// A Format names a Go formatter of package decode that refines a value which the language
// alone cannot describe. There are few on purpose: a new one wants a reason.
type Format uint8

// The formats.
const (
	FormatNone   Format = iota
	FormatUtime         // a time of utimensat(2): the text names UTIME_NOW and UTIME_OMIT
	FormatPolled        // the descriptors that poll(2) and select(2) report
	numFormats
)

var formatNames = [...]string{
	FormatNone:   "",
	FormatUtime:  "utime",
	FormatPolled: "polled",
}

func (f Format) String() string { return formatNames[f] }

func formatByName(name string) (Format, bool) {
	for i, n := range formatNames {
		if n == name && n != "" {
			return Format(i), true
		}
	}
	return 0, false
}
