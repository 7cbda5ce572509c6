package engine

import (
	"testing"
)

// BenchmarkStop measures one stop of a system call, with a sink that does nothing: dd makes four for each byte.
func BenchmarkStop(b *testing.B) {
	for _, bm := range []struct {
		name string
		opts Options
	}{{"unpinned", Options{}}, {"pinned", Options{Pin: PinAuto}}, {"classic", Options{Classic: true}}} {
		b.Run(bm.name, func(b *testing.B) {
			stops := 0
			for b.Loop() {
				e := New(bm.opts, &countSink{stops: &stops})
				if _, err := e.Launch(&Program{Path: "/bin/dd", Args: []string{"dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=20000", "status=none"}}); err != nil {
					b.Fatal(err)
				}
				if err := e.Run(); err != nil {
					b.Fatal(err)
				}
				e.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(stops), "ns/stop")
		})
	}
}

type countSink struct {
	Ignore
	stops *int
}

func (s *countSink) Enter(*Thread) { *s.stops++ }
func (s *countSink) Exit(*Thread)  { *s.stops++ }
