package mark

import (
	"testing"
)

func TestRegionWithoutTracer(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Region("load")() }); n != 0 {
		t.Errorf("%v allocations without a tracer", n)
	}
}

func BenchmarkRegionWithoutTracer(b *testing.B) {
	for b.Loop() {
		Region("load")()
	}
}
