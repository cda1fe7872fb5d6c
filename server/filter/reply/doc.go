// Package reply has the Filters that change what clients are answered.
package reply
