package server

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/sink"
)

// accessLog is where the lines of requests go, a line of JSON each: each loop's logbook hands them over. Where the file does not keep up, lines are lost and counted, so that a full disk costs log lines
// and never requests.
type accessLog struct {
	path string // "" = stdout
	*sink.Sink
}

// openAccessLog returns nil where there is to be none.
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

// reopen opens the file anew, because it was rotated.
func (a *accessLog) reopen(log *slog.Logger) {
	if err := a.Reopen(a.path); err != nil {
		log.Error("reopen access log; lines go on to the old file", "path", a.path, "error", err)
	}
}

// sink returns where the lines go; nil where there is none.
func (a *accessLog) sink() *sink.Sink {
	if a == nil {
		return nil
	}
	return a.Sink
}
