package exchange

import "testing"

// TestGRPCTimeout, in the form of gRPC's PROTOCOL-HTTP2: one to eight digits and a unit.
func TestGRPCTimeout(t *testing.T) {
	for _, tt := range []struct {
		value string
		want  int64
	}{
		{"1n", 1},
		{"99999999n", 99_999_999},
		{"250u", 250e3},
		{"20m", 20e6},
		{"3S", 3e9},
		{"2M", 120e9},
		{"1H", 3600e9},
		{"1000H", longestDeadline},
		{"1001H", longestDeadline},
		{"99999999H", longestDeadline},
		{"60000M", longestDeadline},
		{"0S", 0},
		{"", 0},
		{"S", 0},
		{"1", 0},
		{"1s", 0}, // units have a case
		{"1 S", 0},
		{"-1S", 0},
		{"1.5S", 0},
		{"123456789S", 0}, // nine digits
	} {
		if got := parseGRPCTimeout([]byte(tt.value)); got != tt.want {
			t.Errorf("%q: %d ns, want %d", tt.value, got, tt.want)
		}
	}
}
