package cli

import (
	"math"
	"strings"

	"farcall/internal/cnumber"
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
func (o *TraceOptions) parseTimestamps(arg string) bool {
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
		return 0, &commandError{
			text:  "invalid sortby: '" + arg + "'",
			hint:  "one of " + strings.Join(columnNames[1:], ", ") + ", nothing",
			usage: true,
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
			return nil, &commandError{
				text:  "unknown column name: '" + word + "'",
				hint:  "one of " + strings.Join(columnNames[1:], ", "),
				usage: true,
			}
		}
		if seen[c] {
			return nil, misuse("call summary column has been provided more than once: '%s' (-U option residual: '%s')", c, residue)
		}
		seen[c] = true
		columns = append(columns, c)
	}
	return columns, nil
}
