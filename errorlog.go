package main

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// errorLog is the writer behind the gateway's logger: stderr, or a file that can be opened anew after
// it was rotated. Made by openErrorLog. Safe for concurrent use.
type errorLog struct {
	// Immutable after openErrorLog:
	stderr io.Writer

	mu sync.Mutex
	// Guarded by mu:
	file *os.File // nil = stderr
}

func openErrorLog(path string, stderr io.Writer) (*errorLog, error) {
	l := &errorLog{stderr: stderr}
	if err := l.reopen(path); err != nil {
		return nil, err
	}
	return l, nil
}

// reopen writes to path from now on. After an error the log goes on as it was.
func (l *errorLog) reopen(path string) error {
	var next *os.File
	if path != "" {
		var err error
		if next, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640); err != nil {
			return fmt.Errorf("open error_log: %w", err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.file
	l.file = next
	if last != nil {
		return last.Close()
	}
	return nil
}

// Write appends a line.
func (l *errorLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		return l.file.Write(line)
	}
	return l.stderr.Write(line)
}

// close goes back to stderr.
func (l *errorLog) close() error { return l.reopen("") }
