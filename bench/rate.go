package main

import (
	"context"
	"errors"
)

// rateOf is the rate of a case of kindRate, in requests a second.
func (r *Runner) rateOf(ctx context.Context, c Case) (float64, error) {
	if c.Rate > 0 {
		return c.Rate, nil
	}
	maxima, err := r.maxima(ctx)
	if err != nil {
		return 0, err
	}
	if c.Share > 0 {
		return c.Share * slowest(maxima), nil
	}
	return halfBest(maxima), nil
}

// maxima are the requests a second that each proxy of the run answers in the case small64: as it measured them, or,
// where it was not part of the run, as one measurement gives them now. A proxy without a valid sample is left out.
func (r *Runner) maxima(ctx context.Context) (map[string]float64, error) {
	all := map[string]float64{}
	for _, p := range r.peers {
		if n := r.result.spreadOf("small64", p.Name, func(s Sample) float64 { return s.RPS }).Median; n > 0 {
			all[p.Name] = n
			continue
		}
		if _, ok := r.maximum[p.Name]; !ok {
			s := r.sample(ctx, cases[0], p, 0)
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if s.Invalid != "" || s.Unserved != "" {
				s.RPS = 0
			}
			if r.maximum == nil {
				r.maximum = map[string]float64{}
			}
			r.maximum[p.Name] = s.RPS
		}
		if n := r.maximum[p.Name]; n > 0 {
			all[p.Name] = n
		}
	}
	if len(all) == 0 {
		return nil, errors.New("find the proxies' maximum rates: none gave a valid sample")
	}
	return all, nil
}

// slowest is the lowest of the rates, Sluice's too: every proxy can keep up with a part of it.
func slowest(maxima map[string]float64) float64 {
	least := 0.0
	for _, n := range maxima {
		if least == 0 || n < least {
			least = n
		}
	}
	return least
}

// halfBest is half the best rate of the baseline peers; of all peers where the run has neither, and Sluice's own
// where it has none.
func halfBest(maxima map[string]float64) float64 {
	best := 0.0
	for _, name := range baseline {
		best = max(best, maxima[name])
	}
	if best > 0 {
		return best / 2
	}
	for name, n := range maxima {
		if name != sluiceName {
			best = max(best, n)
		}
	}
	if best == 0 {
		best = maxima[sluiceName]
	}
	return best / 2
}
