// Package choice has the Filters that choose the Backend of a request, and its Endpoint.
package choice
