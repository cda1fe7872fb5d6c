package sluice

import (
	"errors"
	"flag"

	"github.com/sluice-gateway/sluice/server/config"
)

// settings locate the configuration, for commands that look at objects as a gateway with that
// configuration would.
type settings struct {
	file string
	sets list
}

// flags registers -c and --config, and --set.
func (s *settings) flags(set *flag.FlagSet) {
	set.StringVar(&s.file, "c", "", "Read the gateway's configuration from `FILE`; the same as --config.")
	set.StringVar(&s.file, "config", "", "Read the gateway's configuration from `FILE`, which says what classes and namespaces are its own.")
	set.Var(&s.sets, "set", "Set one key over the file, as `key.path=value`; may be given several times.")
}

// load reads the configuration and lays the --set flags over it.
func (s settings) load() (*config.Config, error) {
	c := config.Default()
	if s.file != "" {
		var err error
		if c, err = config.Load(s.file); err != nil {
			return nil, err
		}
	}
	var errs []error
	for _, assignment := range s.sets {
		errs = append(errs, c.Set(assignment))
	}
	if err := errors.Join(append(errs, c.Validate())...); err != nil {
		return nil, err
	}
	return c, nil
}
