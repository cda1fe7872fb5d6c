// Package access has the Filters that decide which requests are allowed: List by address, CORS by the
// origin of a page.
package access
