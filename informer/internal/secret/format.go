package secret

import (
	"fmt"
	"io"
)

// Format prints a Set as its name, whatever the verb: what it holds has no place in a log.
func (Set) Format(to fmt.State, _ rune) { hide(to, "Secrets") }

// Format prints Material as its name, whatever the verb.
func (Material) Format(to fmt.State, _ rune) { hide(to, "Material of a Secret") }

func hide(to fmt.State, name string) { _, _ = io.WriteString(to, name) }
