package config

import "reflect"

// Changes lists the keys that differ between two Configs, in the order of CONFIG.md.
type Changes struct {
	// Live keys take effect on a reload, Restart keys only in a new process.
	Live, Restart []string
}

// Diff compares two Configs.
func Diff(old, next *Config) Changes {
	var changes Changes
	for _, k := range keys {
		a, _ := old.lookup(k.Path)
		b, _ := next.lookup(k.Path)
		if reflect.DeepEqual(a.Interface(), b.Interface()) {
			continue
		}
		if k.Live {
			changes.Live = append(changes.Live, k.Path)
		} else {
			changes.Restart = append(changes.Restart, k.Path)
		}
	}
	return changes
}

// LiveKeys returns the keys that take effect on a reload, in the order of CONFIG.md.
func LiveKeys() []string {
	var live []string
	for _, k := range keys {
		if k.Live {
			live = append(live, k.Path)
		}
	}
	return live
}

// WithLive returns a copy of c that has the live keys of next: the configuration in force after a reload.
func (c *Config) WithLive(next *Config) *Config {
	merged, source := c.Clone(), next.Clone()
	for _, k := range keys {
		if k.Live {
			to, _ := merged.lookup(k.Path)
			from, _ := source.lookup(k.Path)
			to.Set(from)
		}
	}
	return merged
}
