// Package filter holds the Filters that no Policy configures: Hertz, which makes a Hertz middleware a Filter. It uses the
// contract of Filters alone, on the loop's goroutine and on the one that Exchange.Park starts, and keeps nothing between
// requests. Filters that objects configure are in server/filter, beside which other programs can put theirs.
package filter
