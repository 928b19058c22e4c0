package media

import "errors"

// The reasons why a file gave no verdict. A caller holds or quarantines the item
// on each of them; wrapped errors say more and never quote the file.
var (
	// ErrTooLarge says that a size, a dimension, a number of frames or the cost
	// of decoding is over the Limits. The file was not decoded.
	ErrTooLarge = errors.New("media: larger than the limits allow")
	// ErrUnsupported says that the content is of no type on the allow-list, or of
	// one that is recognised but cannot be decoded here (HEIC and AVIF without libheif).
	ErrUnsupported = errors.New("media: type not supported")
	// ErrBroken says that the file claims a known type but cannot be decoded whole.
	ErrBroken = errors.New("media: file is damaged")
	// ErrChildKilled says that the decoding child crashed or was killed for going
	// over its time, processor or memory limit while it had this file.
	ErrChildKilled = errors.New("media: decoding process was killed")
	// ErrNoChild says that no decoding child could be started: a fault of the
	// machine, not of the file, so trying again later is right.
	ErrNoChild = errors.New("media: decoding process cannot be started")
	// ErrNoFFmpeg says that ffmpeg or ffprobe is missing, so films cannot be judged.
	ErrNoFFmpeg = errors.New("media: ffmpeg is not installed")
	// ErrNotFound says that a Store has nothing under the key.
	ErrNotFound = errors.New("media: no such object")
	// ErrExists says that a Store already has an object under the key; objects are
	// created once and never overwritten.
	ErrExists = errors.New("media: object exists already")
	// ErrBadKey says that a Store refuses the key's form.
	ErrBadKey = errors.New("media: malformed object key")
	// ErrHashMismatch says that bytes do not have the SHA-256 or size that was
	// stated when they were stored.
	ErrHashMismatch = errors.New("media: content does not match its SHA-256")
	// ErrTampered says that a sealed object or value was changed, cut, reordered,
	// moved to another item, or opened with the wrong key.
	ErrTampered = errors.New("media: sealed content does not open")
	// ErrUnknownKey says that the Keyring lacks the key that something was wrapped with.
	ErrUnknownKey = errors.New("media: wrapping key is not in the keyring")
)
