package cmdline

import (
	"math"
	"os"
	"os/user"
	"strings"

	"farcall/internal/cnumber"
	"farcall/internal/message"
)

const maxInt = math.MaxInt32 // of C's int

// The numbers of the command line are read as strace reads them.
var (
	parseUint     = cnumber.Uint
	parseDuration = cnumber.Duration
)

// parsePrecision reads one of s, ms, us, ns.
func parsePrecision(s string) (Precision, bool) {
	i, ok := precisionNames.index(s)
	return Precision(i), ok
}

// parseTimestamps reads the argument of --absolute-timestamps into the options:
//
//	[format:]none|time|unix and [precision:]s|ms|us|ns, separated by commas
//
// What is not mentioned stays as it was, but the format is no longer none.
func (o *Options) parseTimestamps(arg string) bool {
	format, formatSet := o.Timestamps, false
	precision := o.TimePrecision
	for word := range strings.SplitSeq(arg, ",") {
		if word == "" {
			continue
		}
		tail, isFormat := cutPrefixFold(word, "format:")
		isPrecision := false
		if !isFormat {
			tail, isPrecision = cutPrefixFold(word, "precision:")
		}
		if i, ok := timeNames.index(tail); ok && !isPrecision {
			format, formatSet = TimeFormat(i), true
		} else if p, ok := parsePrecision(tail); ok && !isFormat {
			precision = p
		} else {
			return false
		}
	}
	if !formatSet && format == TimeNone {
		format = TimeOfDay
	}
	o.Timestamps, o.TimePrecision = format, precision
	return true
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}

// checkTips reads the argument of --tips: [id:]N|random and [format:]none|compact|full.
func checkTips(arg string) bool {
	formats := names{"none", "compact", "full"}
	for word := range strings.SplitSeq(arg, ",") {
		if word == "" {
			continue
		}
		tail, isFormat := cutPrefixFold(word, "format:")
		isID := false
		if !isFormat {
			tail, isID = cutPrefixFold(word, "id:")
		}
		_, number := parseUint(tail, maxInt)
		_, known := formats.index(tail)
		idFits := !isFormat && (number || strings.EqualFold(tail, "random"))
		formatFits := !isID && known
		if !idFits && !formatFits {
			return false
		}
	}
	return true
}

// summaryKeys are the words of -S and -U; strace is particular about their case.
var summaryKeys = map[string]SummaryColumn{
	"time": ColumnPercent, "time-percent": ColumnPercent,
	"time-total": ColumnTotalTime, "total-time": ColumnTotalTime,
	"min-time": ColumnMinTime, "time-min": ColumnMinTime, "shortest": ColumnMinTime,
	"max-time": ColumnMaxTime, "time-max": ColumnMaxTime, "longest": ColumnMaxTime,
	"avg-time": ColumnAvgTime, "time-avg": ColumnAvgTime,
	"calls": ColumnCalls, "count": ColumnCalls,
	"error": ColumnErrors, "errors": ColumnErrors,
	"name": ColumnName, "syscall": ColumnName, "syscall-name": ColumnName,
}

func parseSortBy(arg string) (SummaryColumn, error) {
	switch arg {
	case "none", "nothing":
		return ColumnNone, nil
	}
	c, ok := summaryKeys[arg]
	if !ok {
		return 0, &message.Error{
			Text:   "invalid sortby: '" + arg + "'",
			Remedy: "one of " + strings.Join(columnNames[1:], ", ") + ", nothing",
			Usage:  true,
		}
	}
	return c, nil
}

func parseSummaryColumns(arg string) ([]SummaryColumn, error) {
	var columns []SummaryColumn
	seen := map[SummaryColumn]bool{}
	for rest, more := arg, true; more; {
		residue := rest
		var word string
		word, rest, more = strings.Cut(rest, ",")
		c, ok := summaryKeys[word]
		if !ok {
			return nil, &message.Error{
				Text:   "unknown column name: '" + word + "'",
				Remedy: "one of " + strings.Join(columnNames[1:], ", "),
				Usage:  true,
			}
		}
		if seen[c] {
			return nil, message.Misuse("call summary column has been provided more than once: '%s' (-U option residual: '%s')", c, residue)
		}
		seen[c] = true
		columns = append(columns, c)
	}
	return columns, nil
}

// PIDHint is the remedy for what is no process id.
const PIDHint = "a process id is a positive number; 'pidof NAME' finds it"

// checkUser tells whether a program can be run as that user.
func checkUser(name string) error {
	if os.Getuid() != 0 || os.Geteuid() != 0 {
		return &message.Error{Text: "You must be root to use the -u/--username option", Remedy: "run it under sudo"}
	}
	if _, err := user.Lookup(name); err != nil {
		return &message.Error{Text: "Cannot find user '" + name + "'", Remedy: "-u takes a name from the user database"}
	}
	return nil
}
