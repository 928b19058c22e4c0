package store

// Recalls let a test ask both databases how they would run them.
var Recalls = recalls
