// Package profile counts system calls by the call stack that they came from, and writes the counts
// in the form that pprof reads: how many calls, how long they took, how many bytes they moved.
package profile

import (
	"encoding/binary"
	"io"
	"path"
	"slices"
	"strconv"
	"time"

	"farcall/event"
	"farcall/syscalls"

	"github.com/google/pprof/profile"
)

// Profile collects calls. It is for one goroutine.
type Profile struct {
	program   string
	started   time.Time
	samples   map[string]*sample // by key
	order     []*sample
	locations map[place]uint64 // numbers of locations, from 1
	mappings  map[string]*profile.Mapping
	functions map[function]*profile.Function
	out       *profile.Profile
	key       []byte
}

// sample is what was seen of one call, from one stack, with one result.
type sample struct {
	values [numValues]int64
	stack  []uint64 // numbers of locations, innermost first
	call   string
	errno  string
	region string
}

// The values of a sample.
const (
	calls = iota
	nanoseconds
	bytesMoved
	numValues
)

// place is where a frame is: in a file the same for all processes that have it loaded.
type place struct {
	object   string
	position uint64
	leaf     string // name of the call, for the location that stands for the kernel
}

type function struct{ name, file string }

// kernel is the name of the mapping that the calls themselves are in.
const kernel = "[kernel]"

// New returns an empty profile that begins now. program is the path or name of what is profiled, comment is
// kept with it.
func New(program, comment string) *Profile {
	now := time.Now()
	return &Profile{
		program: path.Base(program), started: now, samples: map[string]*sample{}, locations: map[place]uint64{},
		mappings: map[string]*profile.Mapping{}, functions: map[function]*profile.Function{},
		out: &profile.Profile{
			SampleType: []*profile.ValueType{
				{Type: "calls", Unit: "count"}, {Type: "time", Unit: "nanoseconds"}, {Type: "bytes", Unit: "bytes"},
			},
			DefaultSampleType: "time", PeriodType: &profile.ValueType{Type: "calls", Unit: "count"}, Period: 1,
			TimeNanos: now.UnixNano(), Comments: []string{comment},
		},
	}
}

// Add counts a call that has returned, with its stack. region is the region it was in, "" for none.
func (p *Profile) Add(e *event.Event, region string) {
	c := e.Call
	errno := ""
	if c.Failed {
		if errno = syscalls.ErrnoName(int(-c.Ret)); errno == "" {
			errno = strconv.FormatInt(-c.Ret, 10)
		}
	}
	key := p.key[:0]
	stack := e.Stack
	for len(stack) > 0 {
		n := 1
		for n < len(stack) && stack[n-1].Inline {
			n++
		}
		key = binary.LittleEndian.AppendUint64(key, p.location(stack[:n]))
		stack = stack[n:]
	}
	frames := len(key) / 8
	key = append(key, c.Desc.Name...)
	key = append(append(key, 0), errno...)
	key = append(append(key, 0), region...)
	p.key = key
	s := p.samples[string(key)]
	if s == nil {
		s = &sample{call: c.Desc.Name, errno: errno, region: region, stack: make([]uint64, 0, frames)}
		for i := range frames {
			s.stack = append(s.stack, binary.LittleEndian.Uint64(key[8*i:]))
		}
		p.samples[string(key)] = s
		p.order = append(p.order, s)
	}
	s.values[calls]++
	s.values[nanoseconds] += e.Duration
	if Moves(c.Desc) && !c.Failed {
		s.values[bytesMoved] += c.Ret
	}
}

// Moves tells whether the result of a call is a number of bytes that it moved through a descriptor:
// read and write, send and recv, and their like.
func Moves(d *syscalls.Call) bool {
	if d.Ret.Kind != syscalls.KindUint || d.Ret.Width != syscalls.WidthWord || sizes[d.Name] {
		return false
	}
	for i := range d.Args {
		if d.Args[i].Type.Kind == syscalls.KindFD {
			return true
		}
	}
	return false
}

// sizes are calls whose result is a size too, but not one of data that goes through their descriptor: of attributes, also when
// only their size is asked for (getxattr(2)), and of memory that advice was given about (process_madvise(2)).
var sizes = map[string]bool{"fgetxattr": true, "flistxattr": true, "process_madvise": true}

// location is the number of the location of a frame: with the functions that were inlined there,
// innermost first, before it.
func (p *Profile) location(frames []event.StackFrame) uint64 {
	f := &frames[len(frames)-1]
	at := place{object: f.Object, position: f.Position}
	if f.Object == "" {
		at.position = f.IP
	}
	if n, ok := p.locations[at]; ok {
		return n
	}
	l := p.newLocation(at, f.IP, p.mapping(f.Object, f.BuildID))
	for i := range frames {
		f := &frames[i]
		name := f.Symbol
		if name == "" {
			name = "[" + path.Base(f.Object) + "]+0x" + strconv.FormatUint(at.position, 16)
			if f.Object == "" {
				name = "[anonymous]"
			}
		}
		l.Line = append(l.Line, profile.Line{Function: p.function(name, f.File), Line: int64(f.Line)})
	}
	return l.ID
}

func (p *Profile) newLocation(at place, address uint64, m *profile.Mapping) *profile.Location {
	l := &profile.Location{ID: uint64(len(p.out.Location) + 1), Mapping: m, Address: address}
	p.out.Location = append(p.out.Location, l)
	p.locations[at] = l.ID
	return l
}

// leaf is the location that stands for a call itself, so that pictures end in it.
func (p *Profile) leaf(call string) uint64 {
	at := place{leaf: call}
	if n, ok := p.locations[at]; ok {
		return n
	}
	l := p.newLocation(at, 0, p.mapping(kernel, ""))
	l.Line = []profile.Line{{Function: p.function(call, "")}}
	return l.ID
}

func (p *Profile) mapping(file, buildID string) *profile.Mapping {
	if m := p.mappings[file]; m != nil {
		return m
	}
	m := &profile.Mapping{ID: uint64(len(p.out.Mapping) + 1), File: file, BuildID: buildID, HasFunctions: true, HasFilenames: true, HasLineNumbers: true, HasInlineFrames: true}
	p.out.Mapping = append(p.out.Mapping, m)
	p.mappings[file] = m
	return m
}

func (p *Profile) function(name, file string) *profile.Function {
	at := function{name, file}
	if f := p.functions[at]; f != nil {
		return f
	}
	f := &profile.Function{ID: uint64(len(p.out.Function) + 1), Name: name, SystemName: name, Filename: file}
	p.out.Function = append(p.out.Function, f)
	p.functions[at] = f
	return f
}

// Write writes the profile, compressed.
func (p *Profile) Write(w io.Writer) error {
	p.out.DurationNanos = int64(time.Since(p.started))
	p.out.Sample = nil
	for _, s := range p.order {
		out := &profile.Sample{Value: s.values[:], Label: map[string][]string{"syscall": {s.call}}}
		if s.errno != "" {
			out.Label["errno"] = []string{s.errno}
		}
		if s.region != "" {
			out.Label["region"] = []string{s.region}
		}
		out.Location = append(out.Location, p.out.Location[p.leaf(s.call)-1])
		for _, n := range s.stack {
			out.Location = append(out.Location, p.out.Location[n-1])
		}
		p.out.Sample = append(p.out.Sample, out)
	}
	// The first mapping is what pprof calls the profile's file.
	slices.SortStableFunc(p.out.Mapping, func(a, b *profile.Mapping) int {
		switch first := path.Base(a.File) == p.program; {
		case first == (path.Base(b.File) == p.program):
			return 0
		case first:
			return -1
		}
		return 1
	})
	if err := p.out.CheckValid(); err != nil {
		return err
	}
	return p.out.Write(w)
}
