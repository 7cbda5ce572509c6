package symbols

import "testing"

// TestRustUnderscores: what c++filt makes of names as rustc mangles them, less the hash.
func TestRustUnderscores(t *testing.T) {
	for name, want := range map[string]string{
		"_ZN3std3sys9backtrace28__rust_begin_short_backtrace17h30b50ba0bd2d9e27E": "std::sys::backtrace::__rust_begin_short_backtrace",
		"_ZN4main6_outer5inner17h30b50ba0bd2d9e27E":                               "main::_outer::inner",
		"_ZN4core3ops8function6FnOnce9call_once17h30b50ba0bd2d9e27E":              "core::ops::function::FnOnce::call_once",

		"_ZN67_$LT$alloc..boxed..Box$LT$T$C$A$GT$$u20$as$u20$core..fmt..Debug$GT$3fmt17h58924bfca2a5bf2bE": "<alloc::boxed::Box<T,A> as core::fmt::Debug>::fmt",
		// C++: it has no hash, or one of less than five different digits.
		"_ZN1a2_b17h0000000000000000E": "a::_b::h0000000000000000",
		"_ZN1a3__bEv":                  "a::__b()",
	} {
		if got := Demangle(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for _, name := range []string{"_ZN9_17h30b50ba0bd2d9e27E", "_ZN0_17h30b50ba0bd2d9e27E", "_ZNx17h30b50ba0bd2d9e27E", "_ZN17h30b50ba0bd2d9e27"} {
		if got := underscored(name); got != name {
			t.Errorf("%s: %s", name, got)
		}
	}
}
