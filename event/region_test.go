package event

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestRegionText(t *testing.T) {
	for _, tt := range []struct {
		ev   Event
		want string
	}{
		{Event{Kind: RegionEntry, Region: "main", Depth: 1, RegionArgs: [6]uint64{1, 0xffff, 0, 3, 4, 5}}, ">>> main(0x1, 0xffff, 0x0, 0x3, 0x4, 0x5)\n"},
		{Event{Kind: RegionEntry, Region: "f", Depth: 3}, ">>> f(0x0, 0x0, 0x0, 0x0, 0x0, 0x0) depth 3\n"},
		{Event{Kind: RegionReturn, Region: "f", Depth: 3, RegionEnd: "return", RegionResult: 10, Duration: 1_000_123_456}, "<<< f = 0xa depth 3 <1.000123>\n"},
		{Event{Kind: RegionEntry, Region: "f", Depth: 2, Inside: true}, ">>> f (attached) depth 2\n"},
		{Event{Kind: RegionReturn, Region: "f", Depth: 2, Inside: true, RegionEnd: "return", RegionResult: 1, Duration: 2000}, "<<< f = 0x1 depth 2 (attached) <0.000002>\n"},
		{Event{Kind: RegionReturn, Region: "f", Depth: 1, RegionEnd: "unwound", Duration: 1000}, "<<< f = ? (unwound) <0.000001>\n"},
	} {
		var b bytes.Buffer
		enc := NewText(&b, TextOptions{Columns: 40})
		_ = enc.Encode(&tt.ev)
		_ = enc.Flush()
		if b.String() != tt.want {
			t.Errorf("got  %swant %s", b.String(), tt.want)
		}
	}
}

func TestRegionJSON(t *testing.T) {
	v := decodeLine(t, &Event{Kind: RegionEntry, TID: 2, PID: 1, Region: "ns::f<\"x\">", Depth: 2, RegionArgs: [6]uint64{1, 2, 3, 4, 5, 0xffffffffffffffff}})
	args := v["registers"].([]any)
	if v["type"] != "enter" || v["region"] != `ns::f<"x">` || v["depth"] != json.Number("2") || len(args) != 6 || args[5] != "0xffffffffffffffff" {
		t.Errorf("got %v", v)
	}
	v = decodeLine(t, &Event{Kind: RegionReturn, TID: 2, PID: 1, Region: "f", Depth: 1, RegionEnd: "return", RegionResult: 7, Duration: 5})
	if v["type"] != "return" || v["end"] != "return" || v["register"] != "0x7" || v["duration"] != json.Number("0.000000005") {
		t.Errorf("got %v", v)
	}
	v = decodeLine(t, &Event{Kind: RegionEntry, TID: 2, PID: 1, Region: "f", Depth: 1, Inside: true})
	if _, some := v["registers"]; some || v["attached"] != true {
		t.Errorf("got %v", v)
	}
	v = decodeLine(t, &Event{Kind: RegionReturn, TID: 2, PID: 1, Region: "f", Depth: 1, RegionEnd: "exec"})
	if _, some := v["register"]; some || v["end"] != "exec" {
		t.Errorf("got %v", v)
	}
}
