package wrap

import "testing"

func TestText(t *testing.T) {
	for _, tt := range []struct {
		text          string
		indent, width int
		want          string
	}{
		{"", 2, 10, ""},
		{"one  two\nthree", 0, 20, "one two three"},
		{"one two three", 0, 7, "one two\nthree"},
		{"one two three", 0, 6, "one\ntwo\nthree"},
		{"one two", 2, 8, "one\n  two"},
		{"one two", 2, 9, "one two"},
		{"a-word-too-long b", 1, 5, "a-word-too-long\n b"},
	} {
		if got := Text(tt.text, tt.indent, tt.width); got != tt.want {
			t.Errorf("%q, %d, %d: %q, want %q", tt.text, tt.indent, tt.width, got, tt.want)
		}
	}
}
