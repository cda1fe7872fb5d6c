// Package genroutes makes routing tables of any size that look like a company's clusters, for
// benchmarks and size tests: the same arguments give the same Routes. Nothing outside tests imports
// it.
package genroutes
