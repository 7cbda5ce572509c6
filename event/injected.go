package event

import "strings"

// injected marks a call as strace 6.1 does, and says what a dry run has left undone.
func (t *Text) injected(i *Injected) {
	switch {
	case i.Args && i.Result:
		t.buf = append(t.buf, " (INJECTED: args, retval)"...)
	case i.Args:
		t.buf = append(t.buf, " (INJECTED: args)"...)
	case i.Result:
		t.buf = append(t.buf, " (INJECTED)"...)
	}
	if i.Delayed {
		t.buf = append(t.buf, " (DELAYED)"...)
	}
	for _, a := range i.Actions {
		if strings.HasPrefix(a, "would ") {
			t.buf = append(append(append(t.buf, " ("...), a...), ')')
		}
	}
}

func appendInjected(b []byte, i *Injected) []byte {
	b = append(b, `,"injected":{`...)
	start := len(b)
	key := func(k string) {
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), k...), '"', ':')
	}
	for _, f := range []struct {
		key string
		set bool
	}{{"args", i.Args}, {"result", i.Result}, {"delayed", i.Delayed}} {
		if f.set {
			key(f.key)
			b = append(b, "true"...)
		}
	}
	for _, l := range []struct {
		key  string
		list []string
	}{{"rules", i.Rules}, {"actions", i.Actions}} {
		if len(l.list) == 0 {
			continue
		}
		key(l.key)
		for k, s := range l.list {
			b = append(b, "[,"[min(k, 1)])
			b = appendString(b, s)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}
