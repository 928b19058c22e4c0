package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Type is a media type from the allow-list, as found in the content.
type Type string

// The types that Sniff can answer. HEIC and AVIF are decoded where libheif is.
const (
	JPEG Type = "image/jpeg"
	PNG  Type = "image/png" // APNG too: Inspect counts its frames
	GIF  Type = "image/gif"
	WebP Type = "image/webp"
	BMP  Type = "image/bmp"
	HEIC Type = "image/heic"
	AVIF Type = "image/avif"

	MP4  Type = "video/mp4"
	MOV  Type = "video/quicktime"
	WebM Type = "video/webm"
	MKV  Type = "video/x-matroska"
	GP3  Type = "video/3gpp"

	WAV  Type = "audio/wav"
	MP3  Type = "audio/mpeg"
	AAC  Type = "audio/aac"
	M4A  Type = "audio/mp4"
	OGG  Type = "audio/ogg"
	AMR  Type = "audio/amr"
	FLAC Type = "audio/flac"
)

// Kind is what an item of a Type is called: photo, video or voice.
type Kind string

// The kinds of media an item can be.
const (
	Photo Kind = "photo"
	Film  Kind = "video"
	Voice Kind = "voice"
)

// SniffLen is how many bytes from the start of a file Sniff looks at, at most.
const SniffLen = 4096

// Kind tells how a type is judged. It is empty for a Type that Sniff never gives.
func (t Type) Kind() Kind {
	switch t {
	case JPEG, PNG, GIF, WebP, BMP, HEIC, AVIF:
		return Photo
	case MP4, MOV, WebM, MKV, GP3:
		return Film
	case WAV, MP3, AAC, M4A, OGG, AMR, FLAC:
		return Voice
	}
	return ""
}

// demuxer is the name by which ffmpeg is forced to read the type. Nothing is
// left to its own probing, which would accept playlists.
func (t Type) demuxer() string {
	switch t {
	case MP4, MOV, GP3, M4A, HEIC, AVIF:
		return "mov"
	case WebM, MKV:
		return "matroska"
	case WAV:
		return "wav"
	case MP3:
		return "mp3"
	case AAC:
		return "aac"
	case OGG:
		return "ogg"
	case AMR:
		return "amr"
	case FLAC:
		return "flac"
	}
	return ""
}

// demux tells ffmpeg and ffprobe how to open the type: with this demuxer and no
// other, and whole, since an edit list of an MP4 says what of it is played, and a
// player may not heed it.
func (t Type) demux() []string {
	args := []string{"-f", t.demuxer()}
	if t.demuxer() == "mov" {
		args = append(args, "-ignore_editlist", "1")
	}
	return args
}

// Sniff tells the type of a file from its first bytes (SniffLen are enough),
// against an allow-list of magic numbers. Names and stated content types are
// never asked. Whatever is not on the list, HTML, SVG and playlists among it, is
// ErrUnsupported.
func Sniff(head []byte) (Type, error) {
	if len(head) > SniffLen {
		head = head[:SniffLen]
	}
	for _, look := range []func([]byte) (Type, bool){sniffImage, sniffISO, sniffMatroska, sniffVoice} {
		if t, ok := look(head); ok {
			return t, nil
		}
	}
	return "", fmt.Errorf("sniff %d bytes: %w", len(head), ErrUnsupported)
}

func sniffImage(b []byte) (Type, bool) {
	switch {
	case has(b, 0, "\xff\xd8\xff"):
		return JPEG, true
	case has(b, 0, "\x89PNG\r\n\x1a\n"):
		return PNG, true
	case has(b, 0, "GIF87a"), has(b, 0, "GIF89a"):
		return GIF, true
	case has(b, 0, "RIFF") && has(b, 8, "WEBP"):
		return WebP, true
	case has(b, 0, "BM") && len(b) >= 18 && knownBMPHeader(binary.LittleEndian.Uint32(b[14:])):
		return BMP, true
	}
	return "", false
}

func knownBMPHeader(size uint32) bool { return size == 40 || size == 108 || size == 124 }

// sniffISO reads the brands of an ISO base media file (ISO/IEC 14496-12, 4.3).
func sniffISO(b []byte) (Type, bool) {
	if !has(b, 4, "ftyp") || len(b) < 16 {
		return "", false
	}
	size := int(binary.BigEndian.Uint32(b))
	if size < 16 || size%4 != 0 || size > SniffLen {
		return "", false
	}
	if t, ok := brand(string(b[8:12])); ok {
		return t, true
	}
	for i := 16; i+4 <= min(size, len(b)); i += 4 {
		if t, ok := brand(string(b[i : i+4])); ok {
			return t, true
		}
	}
	return "", false
}

func brand(s string) (Type, bool) {
	switch s {
	case "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1":
		return HEIC, true
	case "avif", "avis":
		return AVIF, true
	case "M4A ", "M4B ", "F4A ":
		return M4A, true
	case "qt  ":
		return MOV, true
	case "isom", "iso2", "iso3", "iso4", "iso5", "iso6", "iso7", "iso8", "iso9",
		"mp41", "mp42", "mp71", "avc1", "M4V ", "M4VH", "M4VP", "dash", "MSNV", "F4V ", "f4v ":
		return MP4, true
	}
	if len(s) == 4 && (s[:3] == "3gp" || s[:3] == "3g2" || s[:3] == "3ge" || s[:3] == "3gg") {
		return GP3, true
	}
	return "", false
}

// sniffMatroska finds the DocType in the EBML header (RFC 8794, 11.2.4).
func sniffMatroska(b []byte) (Type, bool) {
	if !has(b, 0, "\x1a\x45\xdf\xa3") {
		return "", false
	}
	b = b[:min(len(b), 128)]
	i := bytes.Index(b, []byte{0x42, 0x82})
	if i < 0 || i+3 > len(b) {
		return "", false
	}
	switch {
	case has(b, i+2, "\x84webm"):
		return WebM, true
	case has(b, i+2, "\x88matroska"):
		return MKV, true
	}
	return "", false
}

func sniffVoice(b []byte) (Type, bool) {
	switch {
	case has(b, 0, "RIFF") && has(b, 8, "WAVE"):
		return WAV, true
	case has(b, 0, "OggS\x00"):
		return OGG, true
	case has(b, 0, "fLaC"):
		return FLAC, true
	case has(b, 0, "#!AMR\n"), has(b, 0, "#!AMR-WB\n"):
		return AMR, true
	case has(b, 0, "ID3") && len(b) >= 10 && b[3] >= 2 && b[3] <= 4:
		return MP3, true
	case adts(b):
		return AAC, true
	case mpegAudio(b):
		return MP3, true
	}
	return "", false
}

// adts reports an AAC frame header (ISO/IEC 13818-7, 6.2): sync, layer 0, a
// sampling index that exists and a frame longer than its header.
func adts(b []byte) bool {
	if len(b) < 7 || b[0] != 0xff || b[1]&0xf6 != 0xf0 || b[2]>>2&0xf > 12 {
		return false
	}
	return int(b[3]&3)<<11|int(b[4])<<3|int(b[5])>>5 > 7
}

// mpegAudio reports an MPEG audio layer III frame header with a bit rate and a
// sampling rate that exist.
func mpegAudio(b []byte) bool {
	return len(b) >= 4 && b[0] == 0xff && b[1]&0xe0 == 0xe0 && b[1]>>3&3 != 1 && b[1]>>1&3 == 1 &&
		b[2]>>4 != 0 && b[2]>>4 != 15 && b[2]>>2&3 != 3
}

func has(b []byte, at int, s string) bool {
	return len(b) >= at+len(s) && string(b[at:at+len(s)]) == s
}
