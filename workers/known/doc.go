// Package known looks pictures and files up among those that are known
// already: in the banks of our own database, and at a server of
// hasher-matcher-actioner (HMA).
//
// Both answer with matches and never with an opinion; policy says what a match
// means. Who cannot look says so by an error: a picture that was not looked up
// is not an unknown one.
package known
