// Package htpasswd reads names and hashes of passwords in the forms that nginx takes, and verifies passwords.
//
// A file has a line for each user: the name, a colon, and the hash; lines that begin with "#" are comments. The first
// line of a name counts. A hash is one of:
//
//	$2a$ $2b$ $2y$   bcrypt, of a cost up to maxCost
//	$apr1$ $1$       MD5 as Apache and FreeBSD iterate it
//	$5$ $6$          SHA-256 and SHA-512 as glibc iterates them, of up to maxRounds
//	{SSHA} {SHA}     SHA-1, with and without salt
//	{PLAIN}          the password itself
//	13 characters    traditional crypt, DES: of the first eight characters alone, and searched in hours by who has the hash
//
// Costs are bounded, because who writes a hash may be hostile to who has to verify passwords with it. Nothing here prints
// what it reads: errors are in words of this package, and a Hash prints as its name.
package htpasswd
