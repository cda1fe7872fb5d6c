package server

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	asked "github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/servertest"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

func TestPressureLevel(t *testing.T) {
	t.Parallel()
	level := 0
	for _, row := range []struct {
		part float64
		want int
	}{
		{0.5, 0}, {0.84, 0}, {0.86, 1}, {0.84, 1}, {0.81, 1}, {0.79, 0},
		{0.99, 3}, {0.93, 3}, {0.91, 2}, {0.88, 2}, {0.86, 1}, {0.5, 0}, {1.5, 3}, {0, 0}, {-1, 0},
	} {
		if level = pressureLevel(level, row.part); level != row.want {
			t.Errorf("at %v: level %d, want %d", row.part, level, row.want)
		}
	}
}

// TestPressureSheds: requests go by the priority of their Route, over every protocol; those under way are left alone.
func TestPressureSheds(t *testing.T) {
	t.Parallel()
	for _, down := range servertest.Downs {
		g := newGateway(t, func(c *config.Config) { c.Threads = 2 }, Options{})
		addr := servertest.EchoBackend(t)
		c := down.Down(t)
		url := down.Scheme + "://" + map[string]string{"http": g.addr, "https": g.secureAddr}[down.Scheme] + "/"
		for _, priority := range []int32{-1, 0, 1} {
			g.serveBackend(&asked.Policy{Priority: priority}, &routing.Backend{}, addr)
			for level := range 4 {
				g.setPressure(level)
				g.settle()
				resp, err := c.Get(url)
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				want := 200
				if level > int(priority)+1 {
					want = 503
				}
				if resp.StatusCode != want || (resp.Header.Get("Retry-After") == "1") != (want == 503) {
					t.Errorf("priority %d at level %d: %d, Retry-After %q", priority, level, resp.StatusCode, resp.Header.Get("Retry-After"))
				}
			}
		}
		if n := g.shedOf(stats.ShedMemory); n != 6 {
			t.Errorf("%d were counted", n)
		}
		g.setPressure(0)
		g.wantAtRest()
	}
}

func TestFindGroup(t *testing.T) {
	t.Parallel()
	write := func(root, name, text string) {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, row := range map[string]struct {
		files       map[string]string
		limit, used int64
	}{
		"none": {map[string]string{}, 0, 0},
		"version 2": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "1000\n", "sys/fs/cgroup/a/b/memory.current": "900\n",
			"sys/fs/cgroup/a/b/memory.stat": "anon 5\ninactive_file 300\n",
		}, 1000, 600},
		"above": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "1000\n",
			"sys/fs/cgroup/a/memory.current": "900\n",
		}, 1000, 900},
		"unlimited": {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 0, 0},
		"version 1": {map[string]string{
			"proc/self/cgroup": "5:cpu:/x\n4:memory:/c\n", "sys/fs/cgroup/memory/c/memory.limit_in_bytes": "1000\n",
			"sys/fs/cgroup/memory/c/memory.usage_in_bytes": "900\n", "sys/fs/cgroup/memory/c/memory.stat": "total_inactive_file 2000\n",
		}, 1000, 0},
		"version 1, unlimited": {map[string]string{
			"proc/self/cgroup": "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 0, 0},
		"nonsense": {map[string]string{"proc/self/cgroup": "0::/a\nx\n", "sys/fs/cgroup/a/memory.max": "many\n"}, 0, 0},
	} {
		root := t.TempDir()
		for file, text := range row.files {
			write(root, file, text)
		}
		g := findGroup(root)
		if g.limit != row.limit || row.limit > 0 && g.used() != row.used {
			t.Errorf("%s: limit %d, want %d, and %d used", name, g.limit, row.limit, row.used)
		}
	}
}

// TestGauge: garbage does not count, and what is kept does.
func TestGauge(t *testing.T) {
	g := newGauge(t.TempDir())
	g.limit = 1 << 40
	if !g.limited() || g.part() <= 0 || g.part() > 0.5 {
		t.Errorf("part %v", g.part())
	}
	g.limit = math.MaxInt64
	if g.limited() || g.part() != 0 {
		t.Error("limited by nothing")
	}
}
