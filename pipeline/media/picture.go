package media

import (
	"time"

	"nightlight/pipeline/pdq"
)

// Want says what a caller needs of a picture or film. The zero value asks for
// headers, hashes and the test card only.
type Want struct {
	Squares    []Square // tensors to cut from each frame; sizes up to 1,024
	MaxFrames  int      // most frames looked at of an animation or film, out of those that differ from the one before; of more, those most like the one before go first, and Coarse says when others had to; default 64
	Oversample int      // how many times larger than its square a picture stays before the exact resampling; default 2
	Fit        int      // longest side in pixels of Frame.Picture, which is left out when 0; up to 2,048; a shape longer than 2 to 1 gets up to three times as many
	Pictures   int      // most frames that get a Picture, evenly, first and last of them included; where all of them would take more than 32 MiB they are smaller than Fit; default: every frame
	Thumbnail  int      // longest side in pixels of the plain JPEG rendition, none when 0; up to 2,048
	Preview    int      // longest side in pixels of the blurred, grey JPEG rendition, none when 0; up to 2,048
}

func (w Want) withDefaults() Want {
	def(&w.MaxFrames, 64)
	def(&w.Pictures, w.MaxFrames)
	def(&w.Oversample, 2)
	return w
}

// Decoded is what a file gave: facts about it, frames for the classifiers and
// renditions for people. No byte of the original, its metadata or what trails it
// is in the renditions.
type Decoded struct {
	Type        Type
	Width       int           // pixels as a viewer shows it, orientation applied
	Height      int           // pixels as a viewer shows it
	FrameCount  int           // frames in the file, of a film those decoded; len(Frames) of them were looked at, the others were like the one before or over MaxFrames
	Duration    time.Duration // of a film or animation
	Orientation int           // EXIF orientation, 1 to 8, already applied to everything here
	HasGPS      bool          // EXIF or XMP of the original tells a place
	SHA256      string        // of the original file, lower-case hexadecimal
	DHash       uint64        // of the first frame, see DHash
	PHash       uint64        // of the first frame, see PHash
	TestCard    string        // label of a test card found in any frame, see ReadTestCard
	Decoder     string        // what decoded it, e.g. "libjpeg-turbo", "image/png", "ffmpeg"
	Coarse      bool          // something was looked at less finely than asked: tiles were capped, or frames left out that show something else
	Thinned     int           // frames left out that differ from the one before, because there were more than MaxFrames
	Cut         bool          // a film was longer than was looked at
	Damaged     bool          // a film was decoded, but ffmpeg reported errors in it
	HasSound    bool          // a film has a sound track
	Frames      []Frame
	Thumbnail   []byte `json:"-"` // JPEG
	Preview     []byte `json:"-"` // JPEG, grey and blurred beyond recognition
}

// Frame is one moment of a picture or film.
type Frame struct {
	Index    int           // place in the file, from 0; for films, in the order in which frames were decoded
	At       time.Duration // when it is shown
	DHash    uint64
	PHash    uint64
	PDQ      pdq.Print // of the frame as it is shown, see printOf
	TestCard string    // label, when the frame shows a test card
	Crops    []Crop
	Picture  *RGB `json:",omitempty"` // when Want.Fit asks for it
}

// RGB is a small opaque picture: rows from the top, three bytes a pixel. Where
// the original is transparent it lies on white.
type RGB struct {
	Width, Height int
	Pix           []byte `json:"-"`
}

// Crop is one square that a classifier sees, with where it was cut.
type Crop struct {
	Square     int        // index into Want.Squares
	Part       string     // "whole", or "tile 2/5" for pictures longer than 2.5 to 1
	Box        [4]float64 // left, top, right, bottom in the shown picture, 0 to 1
	Background string     // "white", or "black" for the second view of a transparent picture that differs on it
	Tensor     []float32  `json:"-"` // 1 x Size x Size x 3
}
