// Package rewrite has the Filters that change what a Backend is asked for.
package rewrite
