// Package variable writes text with variables of nginx for requests: what $host and the like stand for is the same in every
// annotation that takes them. Which ones it takes is the annotation's own list, policy.Variables.
package variable
