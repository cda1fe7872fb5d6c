// Package access has the Filters that say who may ask: List by address, CORS by the origin of a page.
package access
