// Package filter has the Filters that are not made of anybody's Policy: today the one that makes any Hertz middleware a Filter.
// It uses the contract and no more. Those that objects ask for are in server/filter, where programs of others can put theirs
// beside them.
package filter
