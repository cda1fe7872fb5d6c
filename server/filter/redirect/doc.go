// Package redirect has the Filters that send clients to another place, and ask no Backend.
package redirect
