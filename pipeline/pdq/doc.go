// Package pdq tells whether two pictures are the same picture. PDQ is a
// perceptual hash of 256 bits and a quality: a copy that was scaled,
// compressed again or lightly changed differs in few of them, so a list of
// hashes can stand for pictures that nobody may keep.
//
// Of gives the hash of a picture bit by bit as the reference implementation in
// C++ does, with its order of float32 operations
// (https://github.com/facebook/ThreatExchange/tree/main/pdq). An Index finds
// every hash of a list within a distance, exactly. Nothing here reads a file.
package pdq
