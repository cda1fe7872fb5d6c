package sluice

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"time"

	"github.com/cloudwego/netpoll"
	"k8s.io/klog/v2"

	"github.com/sluice-gateway/sluice/server/sink"
)

// openErrorLog opens the gateway's own log: path, or stderr where that is "". No logging goroutine waits for
// it: the informer and the handler of signals log, and a container's stderr is a pipe whose reader may stall.
func openErrorLog(path string, stderr io.Writer) (*sink.Sink, *slog.Logger, error) {
	var logger *slog.Logger
	s, err := sink.Open(sink.Options{Path: path, Std: stderr, Report: func(lost uint64, err error) {
		logger.Warn("lines of the error log were lost", "lines", lost, "error", err)
	}})
	if err != nil {
		return nil, nil, fmt.Errorf("open error_log: %w", err)
	}
	logger = newLogger(s)
	return s, logger, nil
}

// captureLogs sends the libraries' own logs the same way: each of them otherwise writes to stderr,
// and waits there. client-go logs on the goroutines that watch.
func captureLogs(logger *slog.Logger, to io.Writer) {
	klog.SetSlogLogger(logger)
	log.SetOutput(to)
	netpoll.SetLoggerOutput(to)
}

// lastWords writes to stderr why the process ends, and waits for a second at most.
func lastWords(stderr io.Writer, text string) {
	said := make(chan struct{})
	go func() {
		defer close(said)
		fmt.Fprintln(stderr, text)
	}()
	select {
	case <-said:
	case <-time.After(time.Second):
	}
}
