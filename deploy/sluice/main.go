// Command sluice is the gateway with nothing added. All of it is in package sluice, the repository's root.
package main

import "github.com/sluice-gateway/sluice"

func main() { sluice.Main(sluice.Options{}) }
