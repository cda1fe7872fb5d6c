package server

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/sink"
)

// accessLog is the sink of the loops' logs, which take a line of JSON for each request. Where its file does not keep up,
// lines are lost and counted, so that a full disk costs log lines and never requests.
type accessLog struct {
	path string // "": stdout
	*sink.Sink
}

// openAccessLog opens the access log, or returns nil where c turns it off.
func openAccessLog(c config.AccessLog, log *slog.Logger) (*accessLog, error) {
	if c.Path == "off" || c.Path == "" {
		return nil, nil
	}
	a := &accessLog{path: c.Path}
	if a.path == "stdout" {
		a.path = ""
	}
	var err error
	a.Sink, err = sink.Open(sink.Options{Path: a.path, Std: os.Stdout, Report: func(lost uint64, err error) {
		log.Warn("lines of the access log were lost", "path", c.Path, "lines", lost, "error", err)
	}})
	if err != nil {
		return nil, fmt.Errorf("open access log: %w", err)
	}
	return a, nil
}

// reopen opens the file at the path again: the old one may have been rotated.
func (a *accessLog) reopen(log *slog.Logger) {
	if err := a.Reopen(a.path); err != nil {
		log.Error("reopen access log; lines go on to the old file", "path", a.path, "error", err)
	}
}

// sink returns the sink; nil where the log is off.
func (a *accessLog) sink() *sink.Sink {
	if a == nil {
		return nil
	}
	return a.Sink
}
