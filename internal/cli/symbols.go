package cli

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"farcall/internal/cmdline"
	"farcall/internal/linux"
	"farcall/internal/message"
	"farcall/symbols"

	"github.com/spf13/cobra"
)

const symbolsHelp = `List the symbols of an ELF file, or of everything that a process has loaded,
with their addresses; or find the places that PATTERNs name.

A PATTERN is a name (of C++, Rust and Go as in the source, without parameters
if you like), a name@VERSION, a name@plt, a glob, FILE:LINE of the source, or an
address 0xADDR: of the file, and with -p of the process. OBJECT:PATTERN looks in
that object only.

Symbols come from .symtab, else a separate debug file, else .gnu_debugdata; and
from .dynsym, Go's function table, and the linkage table. The main of a stripped
program is found from the code at its entry point.`

const symbolsExamples = `  farcall symbols ./a.out                    all symbols, by address
  farcall symbols ./a.out main server.c:120  where are these?
  farcall symbols -p 1234 libc.so.6:open*    in a process, with its addresses
  farcall symbols -p 1234 0x7f1d2c0a1b3c     what is at this address?
  farcall symbols --sections ./a.out         the section table
  farcall symbols --json /bin/ls             a JSON object a line, for programs`

// symbolsOptions are the command's options.
type symbolsOptions struct {
	pid      string
	json     bool
	sections bool
	segments bool
	demangle string
}

// newSymbolsCommand lists and finds symbols.
func newSymbolsCommand(std Streams) *cobra.Command {
	var o symbolsOptions
	cmd := &cobra.Command{
		Use:                   "symbols FILE|-p PID [PATTERN...] [--json] [--sections] [--segments] [--demangle=no]",
		Short:                 "Find functions, source lines and addresses in programs and processes",
		Long:                  symbolsHelp,
		Example:               symbolsExamples,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSymbols(std, o, cmd.Flags().Changed("attach"), args)
		},
	}
	cmd.Flags().StringVarP(&o.pid, "attach", "p", "", "look at what the process `PID` has loaded; it is not stopped")
	cmd.Flags().BoolVar(&o.json, "json", false, "write a JSON object a line")
	cmd.Flags().BoolVar(&o.sections, "sections", false, "list the section table instead")
	cmd.Flags().BoolVar(&o.segments, "segments", false, "list the program headers instead")
	cmd.Flags().StringVar(&o.demangle, "demangle", "yes", "no: show C++ and Rust names as in the file (`yes|no`)")
	return cmd
}

// An object is a file to look in, and where it is loaded.
type object struct {
	name    string // path
	file    *symbols.File
	biases  []uint64 // of a process; nil for a file
	program bool     // the process's program itself
}

// runSymbols is the command.
func runSymbols(std Streams, o symbolsOptions, attached bool, args []string) error {
	if o.demangle != "yes" && o.demangle != "no" {
		return &message.Error{Text: "invalid --demangle argument: '" + o.demangle + "'", Remedy: "it is yes or no"}
	}
	if o.sections && o.segments {
		return message.Misuse("--sections and --segments exclude each other")
	}
	messages := &message.Printer{W: std.Err, Name: "farcall", Help: "farcall help symbols"}
	var objects []object
	process := 0
	if attached {
		n, err := strconv.Atoi(o.pid)
		if err != nil || n <= 0 {
			return &message.Error{Text: "Invalid process id: '" + o.pid + "'", Remedy: cmdline.PIDHint}
		}
		if objects, err = processObjects(n, messages); err != nil {
			return err
		}
		process = n
	} else {
		if len(args) == 0 {
			return message.Misuse("no file given")
		}
		f, err := openSymbols(args[0])
		if err != nil {
			return err
		}
		objects, args = []object{{name: args[0], file: f}}, args[1:]
	}
	if (o.sections || o.segments) && len(args) > 0 {
		return message.Misuse("--sections and --segments take no pattern")
	}

	out := newSymbolPrinter(std.Out, o, process != 0)
	switch {
	case o.sections:
		out.sections(objects)
	case o.segments:
		out.segments(objects)
	case len(args) == 0:
		empty := true
		for i := range objects {
			empty = !out.all(&objects[i]) && empty
		}
		if empty {
			return &message.Error{Text: symbolSubject(objects, process) + ": no symbols", Remedy: strippedHint}
		}
	default:
		var problems []error
		for _, arg := range args {
			if err := findSymbols(out, objects, process, arg); err != nil {
				problems = append(problems, err)
			}
		}
		if err := out.flush(); err != nil {
			return err
		}
		for i, err := range problems {
			if i == len(problems)-1 {
				return err
			}
			messages.Error(err)
		}
	}
	for i := range objects {
		for _, err := range objects[i].file.Warnings() {
			messages.Warn("warning: " + objects[i].name + ": " + err.Error())
		}
	}
	return out.flush()
}

const strippedHint = "it was stripped, and no debug file was found by its build-id or its debug link"

// symbolSubject names what was looked at.
func symbolSubject(objects []object, process int) string {
	if process != 0 {
		return "process " + strconv.Itoa(process)
	}
	return objects[0].name
}

// findSymbols prints the places of one pattern, or says why there are none.
func findSymbols(out *symbolPrinter, objects []object, process int, arg string) error {
	p, err := symbols.ParsePattern(arg)
	if err != nil {
		return &message.Error{Text: strings.TrimPrefix(err.Error(), "symbols: ")}
	}
	found, looked := false, false
	var near symbols.NotFoundError
	near.Empty = true
	var other error
	for i := range objects {
		ob := &objects[i]
		q := p
		if !p.InObject(ob.name) {
			// What looks like an object's name may be part of a name.
			q = symbols.Pattern{Text: arg, Name: arg}
			if process != 0 || p.HasAddr || p.Line > 0 {
				continue
			}
		} else {
			looked = true
		}
		if q.HasAddr && process != 0 {
			found = out.address(ob, q.Addr) || found
			continue
		}
		all, err := ob.file.Find(q)
		var none *symbols.NotFoundError
		switch {
		case err == nil:
			found = true
			for _, m := range all {
				out.match(ob, m, q.HasAddr)
			}
		case errors.As(err, &none):
			near.Empty = near.Empty && none.Empty
			for _, n := range none.Near {
				if len(near.Near) < 3 {
					near.Near = append(near.Near, n)
				}
			}
		case errors.Is(err, symbols.ErrNoLines):
			if other == nil {
				other = &message.Error{Text: ob.name + ": no line numbers for '" + arg + "'", Remedy: "compile with -g, or install the debug files"}
			}
		default:
			other = err
		}
	}
	subject := symbolSubject(objects, process)
	switch {
	case found:
		return nil
	case !looked && p.Object != "":
		hint := "it is not loaded, or not yet"
		if process == 0 {
			hint = "the file is " + path.Base(subject)
		}
		return &message.Error{Text: subject + ": no object '" + p.Object + "'", Remedy: hint}
	case p.HasAddr:
		return &message.Error{Text: subject + ": nothing of an object is at " + arg}
	case p.Line > 0 && other == nil:
		return &message.Error{Text: subject + ": no code for '" + arg + "'", Remedy: "no source file of that name was compiled in, or it has no code from that line on"}
	case other != nil:
		return other
	}
	near.Pattern = p.Text
	return &message.Error{Text: subject + ": " + near.Error(), Remedy: near.Hint()}
}

// openSymbols opens a file, with a hint where it cannot be.
func openSymbols(name string) (*symbols.File, error) {
	f, err := linux.OpenSymbols(name)
	if err == nil {
		return f, nil
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		hint := ""
		if errors.Is(err, fs.ErrNotExist) {
			if path, err := findProgram(name, os.Getenv("PATH")); err == nil && path != name {
				hint = "the program of that name: farcall symbols " + path
			}
		}
		return nil, &message.Error{Text: name + ": " + errnoText(p.Err), Remedy: hint}
	}
	return nil, &message.Error{Text: name + ": " + strings.TrimPrefix(err.Error(), "elf: "), Remedy: formatHint(err)}
}

// formatHint is the remedy for a file that cannot be read as ELF.
func formatHint(err error) string {
	switch {
	case errors.Is(err, symbols.ErrNotELF):
		return "symbols are in programs, libraries and object files; for a script, look at its interpreter"
	case errors.Is(err, symbols.ErrTruncated):
		return "the file was cut short: was it copied or downloaded in full?"
	}
	return ""
}
