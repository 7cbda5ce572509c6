package inject

import (
	"testing"
	"time"

	"farcall/action"
	"farcall/filter"

	"github.com/google/go-cmp/cmp"
)

func TestInjections(t *testing.T) {
	errno, retval, delay := 1, ^uint64(0), 1500*time.Microsecond
	every := action.Occurrence{First: 1, Step: 1}
	nosys := 38
	set, err := filter.ParseCallSet("open")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		arg   string
		fault bool
		want  Injection
	}{
		{arg: "open:error=EPERM", want: Injection{When: every, Error: &errno}},
		{arg: "open:error=1:when=3", want: Injection{When: action.Occurrence{First: 3}, Error: &errno}},
		{arg: "open:error=1:when=3+", want: Injection{When: action.Occurrence{First: 3, Step: 1}, Error: &errno}},
		{arg: "open:error=1:when=3+2", want: Injection{When: action.Occurrence{First: 3, Step: 2}, Error: &errno}},
		{arg: "open:error=1:when=3..9", want: Injection{When: action.Occurrence{First: 3, Last: 9, Step: 1}, Error: &errno}},
		{arg: "open:error=1:when=3..9+4", want: Injection{When: action.Occurrence{First: 3, Last: 9, Step: 4}, Error: &errno}},
		{arg: "open:retval=-1", want: Injection{When: every, Retval: &retval}},
		{arg: "open:signal=TERM:delay_enter=1.5ms", want: Injection{When: every, Signal: 15, DelayEnter: &delay}},
		{arg: "open:poke_exit=@arg1=00fF,@arg2=01", want: Injection{When: every,
			PokeExit: []Poke{{Arg: 1, Data: []byte{0, 255}}, {Arg: 2, Data: []byte{1}}}}},
		{arg: "open", fault: true, want: Injection{When: every, Error: &nosys}},
	} {
		got, err := Parse(tt.arg, tt.fault, func(string) {})
		if err != nil {
			t.Errorf("%s: %v", tt.arg, err)
			continue
		}
		tt.want.Text, tt.want.Calls = tt.arg, set
		if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b *filter.CallSet) bool { return *a == *b })); diff != "" {
			t.Errorf("%s: %s", tt.arg, diff)
		}
	}
}

func TestOccurrence(t *testing.T) {
	for when, want := range map[string]string{
		"1": "1", "2": "2", "2+": "23456789", "2+3": "258", "2..4": "234", "2..8+3": "258",
	} {
		var o action.Occurrence
		if !parseOccurrence(&o, when) {
			t.Errorf("%s: refused", when)
			continue
		}
		got := ""
		for n := 1; n < 10; n++ {
			if o.Has(n) {
				got += string(rune('0' + n))
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
}

// FuzzParse: an injection that is read has calls and does something.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"open:error=EPERM", "open:retval=-1:when=2..3+4", "a:poke_exit=@arg1=00,@arg2=ff", "x:delay_enter=1.5ms:signal=KILL", "%file:syscall=getpid:error=1"} {
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, arg string, fault bool) {
		in, err := Parse(arg, fault, func(string) {})
		if err == nil && (in.Calls == nil || len(in.actions(func(string) {})) == 0 || in.When.First < 1) {
			t.Fatalf("%q: %+v", arg, in)
		}
	})
}
