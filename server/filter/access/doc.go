// Package access has the Filters that decide which requests are allowed: List by address, Basic by name and password,
// AnyOf by one of several, CORS by the origin of a page.
package access
