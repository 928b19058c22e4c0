// Package media is the only room that opens what a child uploads as bytes.
//
// It says what a file is by its content (Sniff), refuses what is too large
// before a single pixel is decoded (Limits, Inspect), and decodes the rest in a
// child process with limits on memory, processor time and files and without a
// network (Decoder), so that a hostile picture can end a child but never the
// worker. A Decoder answers with tensors for the classifiers, pictures people
// may look at, and hashes. Video gives the same frames for films by ffmpeg under
// the same kind of limits, Sheet lays some of them side by side for people, and
// Sound.WAV is what people hear. A Store (Folder, S3) keeps originals; Sealed encrypts
// each with the key of its item, so that forgetting the key erases the file.
// TestCard draws a harmless picture that trips a label, to try the real path.
//
// Every failure is one of a few sentinels (ErrTooLarge, ErrUnsupported,
// ErrBroken, ErrChildKilled, ErrNoFFmpeg …); none of them may be read as "saw
// nothing": the caller holds the item. Errors never quote the file.
//
// Where to begin: Sniff, Inspect and Limits.Check at the door; NewDecoder and
// Decoder.Decode for photos and animations, NewVideo and Video.Frames for films,
// both giving Decoded with its Frames and Crops; OpenFolder, OpenS3 and NewSealed
// for storing; OpenKeyFile, NewKeyring and Keyring.NewItemKey for keys, with
// ItemKey.Seal and Open for text; TestCard and ReadTestCard. A binary that uses
// Decoder or Video calls ChildMain first thing when its first argument is
// ChildCommand.
//
// The package imports nothing else of Nightlight but the plain hash of
// pipeline/pdq, and builds without cgo.
package media
