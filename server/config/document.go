package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v2"
)

// onlyDocument fails where text follows the first YAML document: the conversion to JSON ends there, and the
// keys behind it would have no effect and no error.
func onlyDocument(text []byte) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var ignored any
	if err := d.Decode(&ignored); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return fmt.Errorf("parse YAML: %w", err)
	}
	switch err := d.Decode(&ignored); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return fmt.Errorf("parse YAML: behind the end of the document: %w", err)
	}
	return errors.New(`parse YAML: a second document; keep one, without "---" within it`)
}
