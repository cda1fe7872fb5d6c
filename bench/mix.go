package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
)

// part is one kind of request in a case, and how often it comes.
type part struct {
	Weight int    `json:"weight"` // of so many requests as all weights together make
	Path   string `json:"path"`
	Post   int    `json:"post,omitempty"`  // bytes of body to POST; 0 is a GET
	Close  bool   `json:"close,omitempty"` // the client has the connection end with it

	// Answer is the number of bytes that the answer's body must have; below 0 any will do.
	Answer int `json:"answer"`
}

// method is the part's request method.
func (p part) method() string {
	if p.Post > 0 {
		return "POST"
	}
	return "GET"
}

// wire is the request as it is sent.
func (p part) wire(host string) []byte {
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\n", p.method(), p.Path, host)
	if p.Close {
		b = append(b, "Connection: close\r\n"...)
	}
	if p.Post > 0 {
		b = fmt.Appendf(b, "Content-Length: %d\r\n", p.Post)
	}
	b = append(b, "\r\n"...)
	return append(b, body(p.Post)...)
}

// ask makes the request once and gives the body of the answer.
func (p part) ask(c client) ([]byte, error) {
	var post io.Reader
	if p.Post > 0 {
		post = bytes.NewReader(body(p.Post))
	}
	_, got, err := c.do(p.method(), p.Path, nil, post)
	return got, err
}

// order is in which order the requests of a mix go out, as indexes of its parts: each as often as its weight says,
// shuffled, and the same on every run. It is one round long, or a few where a round is short.
func order(mix []part) []int {
	var all []int
	for len(all) < 1000 {
		for i, p := range mix {
			for range p.Weight {
				all = append(all, i)
			}
		}
		if len(all) == 0 {
			return nil
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// writeMix writes the parts into a file for the load subcommand.
func writeMix(path string, mix []part) error {
	text, err := json.Marshal(mix)
	if err != nil {
		return fmt.Errorf("encode requests: %w", err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("write requests: %w", err)
	}
	return nil
}

// readMix reads what writeMix has written.
func readMix(path string) ([]part, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read requests: %w", err)
	}
	var mix []part
	if err := json.Unmarshal(text, &mix); err != nil {
		return nil, fmt.Errorf("read requests: %s: %w", path, err)
	}
	for i, p := range mix {
		if p.Weight < 0 || p.Post < 0 || p.Path == "" {
			return nil, fmt.Errorf("read requests: %s: number %d: %+v", path, i+1, p)
		}
	}
	if order(mix) == nil {
		return nil, fmt.Errorf("read requests: %s: no request in it", path)
	}
	return mix, nil
}
