// Package review holds what waits for people: a Case opens when a verdict, a
// report or an appeal needs a person, a reviewer takes it on a lease, and a
// Decision closes it.
//
// The package is types and rules only: which case comes first, how long a
// lease lives, when a second vote is needed, how much severe material one
// person may look at. It holds no SQL; queue/store keeps the rows and obeys
// these rules in its transactions.
package review
