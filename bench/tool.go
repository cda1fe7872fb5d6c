package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tool is a load generator: a command, and what its output means.
type tool struct {
	name string
	args func(c Case, g *rig, d time.Duration) []string
	read func(c Case, g *rig, output string) (tally, error)
	// ours is true where the command is a subcommand of this program.
	ours bool
}

// tool is the generator of a case's load: wrk for HTTP/1.1, h2load for HTTP/2, and ours where neither can
// report the figure.
func (c Case) tool() tool {
	switch {
	case c.Kind == kindShake:
		return tool{name: "bench handshake", ours: true, read: readTally, args: func(c Case, g *rig, d time.Duration) []string {
			return []string{"handshake", "-addr", g.addr, "-cert", g.cert, "-path", c.Path, "-conns", strconv.Itoa(c.Conns),
				"-resume=" + strconv.FormatBool(c.Resume), "-duration", d.String()}
		}}
	case len(c.Mix) > 0:
		return tool{name: "bench load", ours: true, read: readLoad, args: func(c Case, g *rig, d time.Duration) []string {
			return []string{"load", "-addr", g.addr, "-host", benchHost, "-requests", g.mix, "-rate", "0",
				"-conns", strconv.Itoa(c.Conns), "-warmup", "0s", "-duration", d.String()}
		}}
	case c.Call == callEcho:
		return tool{name: "bench stream", ours: true, read: readTally, args: func(c Case, g *rig, d time.Duration) []string {
			return []string{"stream", "-addr", g.addr, "-host", benchHost, "-conns", strconv.Itoa(c.Conns),
				"-streams", strconv.Itoa(c.Streams), "-duration", d.String()}
		}}
	case c.Down.H2:
		return tool{name: "h2load", args: func(c Case, g *rig, d time.Duration) []string {
			return h2loadArgs(c, g.addr, g.body, d)
		}, read: func(c Case, _ *rig, output string) (tally, error) {
			size := len(smallAnswer) + 1
			if c.Call == callUnary {
				size = len(unaryAnswer)
			}
			return parseH2load(c, output, size)
		}}
	}
	return tool{name: "wrk", args: func(c Case, g *rig, d time.Duration) []string {
		return wrkArgs(c, g.script, wrkURL(c, g.addr), d)
	}, read: func(_ Case, g *rig, output string) (tally, error) {
		return readWrk(output, g.size)
	}}
}

// argv is the whole command for a run of length d.
func (t tool) argv(c Case, g *rig, d time.Duration) ([]string, error) {
	args := t.args(c, g, d)
	if !t.ours {
		return args, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own binary: %w", err)
	}
	return append([]string{self}, args...), nil
}

// readTally reads the output of one of our own subcommands.
func readTally(_ Case, _ *rig, output string) (tally, error) {
	var t tally
	if err := json.Unmarshal([]byte(output), &t); err != nil {
		return t, fmt.Errorf("read tally: %w: %s", err, output)
	}
	return t, nil
}

// readLoad reads the output of the load subcommand.
func readLoad(_ Case, _ *rig, output string) (tally, error) {
	var l loadReport
	if err := json.Unmarshal([]byte(output), &l); err != nil {
		return tally{}, fmt.Errorf("read load report: %w: %s", err, output)
	}
	t := tally{Requests: l.Requests, Errors: l.Errors, Reason: l.Reason}
	if l.RPS > 0 {
		t.Seconds = float64(l.Requests) / l.RPS
	}
	return t, nil
}

// needs are the programs that the cases load with, beside this one.
func needs(chosen []Case) []string {
	var names []string
	for _, name := range []string{"wrk", "h2load"} {
		for _, c := range chosen {
			if c.tool().name == name || name == "wrk" && c.Kind != kindLoad && c.Kind != kindShake {
				names = append(names, name)
				break
			}
		}
	}
	return names
}
