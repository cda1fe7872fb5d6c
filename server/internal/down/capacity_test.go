package down

import (
	"testing"

	"github.com/sluice-gateway/sluice/server/config"
)

// TestCapacity: what is derived where nothing is configured, and that descriptors are never promised twice.
func TestCapacity(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, row := range []struct {
		name                string
		limits              config.Limits
		descriptors, memory int64
		want                Capacity
	}{
		{"512 MiB and 4,096 descriptors", config.Limits{}, 4096, 460 * mib, Capacity{2389, 1194, 597, 1194, 115 * mib}},
		{"512 MiB, a million descriptors", config.Limits{}, 1 << 20, 460 * mib, Capacity{14720, 7360, 3680, 1<<20 - 512 - 14720 - 256, 115 * mib}},
		{"much of both", config.Limits{}, 1 << 20, 64 << 30, Capacity{1 << 19, 1 << 18, 1 << 17, 1<<20 - 512 - 1<<19 - 256, 16 << 30}},
		{"no limits at all", config.Limits{}, unlimited, unlimited, Capacity{1 << 19, 1 << 18, 1 << 17, unlimited, unlimited / 4}},
		{"a test's 64 descriptors", config.Limits{}, 64, 64 * mib, Capacity{32, 16, 128, 16, 16 * mib}},
		{"as configured", config.Limits{Connections: 50, ConnectionsPerSource: 10, RequestsPerSource: 20, BufferedBytes: mib}, 4096, 460 * mib,
			Capacity{50, 10, 20, 3531, mib}},
		{"more than there are", config.Limits{Connections: 100_000}, 4096, 460 * mib, Capacity{100_000, 50_000, 25_000, 1194, 115 * mib}},
	} {
		if got := newCapacity(row.limits, row.descriptors, row.memory); got != row.want {
			t.Errorf("%s: %+v, want %+v", row.name, got, row.want)
		}
	}
	for descriptors := int64(64); descriptors < 1<<21; descriptors = descriptors*5/4 + 1 {
		c := newCapacity(config.Limits{}, descriptors, 512*mib)
		if sum := c.connections + c.slack() + c.Descriptors; sum > descriptors {
			t.Errorf("of %d descriptors %d are promised", descriptors, sum)
		}
	}
}
