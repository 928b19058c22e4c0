// Package pipeline judges: an Item and what classifiers found in it go in, a
// Verdict comes out.
//
// It is the plain middle of Nightlight. It opens no socket, file or clock and
// calls no C, so the same Item, Findings and Policy give the same Verdict in a
// year. Classifiers live in package models, media bytes in pipeline/media, and
// the database in queue/store; all of them import this package, never the
// reverse.
package pipeline
