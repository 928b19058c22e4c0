package media

import (
	"errors"
	"strings"
	"testing"
)

func TestContentTellsTheType(t *testing.T) {
	box := func(major string, others ...string) string {
		b := "ftyp" + major + "\x00\x00\x02\x00" + strings.Join(others, "")
		return string([]byte{0, 0, 0, byte(len(b) + 4)}) + b
	}
	for name, c := range map[string]struct {
		head string
		want Type
		kind Kind
	}{
		"JPEG":               {"\xff\xd8\xff\xe0\x00\x10JFIF", JPEG, Photo},
		"PNG":                {"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", PNG, Photo},
		"GIF87a":             {"GIF87a\x01\x00", GIF, Photo},
		"GIF89a":             {"GIF89a\x01\x00", GIF, Photo},
		"WebP":               {"RIFF\x10\x00\x00\x00WEBPVP8 ", WebP, Photo},
		"BMP":                {"BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00", BMP, Photo},
		"HEIC":               {box("heic", "mif1"), HEIC, Photo},
		"AVIF":               {box("avif", "mif1"), AVIF, Photo},
		"AVIF by other name": {box("xxxx", "avif"), AVIF, Photo},
		"MP4":                {box("isom", "avc1"), MP4, Film},
		"MP4 by other name":  {box("abcd", "mp42"), MP4, Film},
		"MOV":                {box("qt  "), MOV, Film},
		"3GP":                {box("3gp5"), GP3, Film},
		"WebM":               {"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", WebM, Film},
		"MKV":                {"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\x01\x42\x82\x88matroska", MKV, Film},
		"WAV":                {"RIFF\x10\x00\x00\x00WAVEfmt ", WAV, Voice},
		"MP3 with tags":      {"ID3\x04\x00\x00\x00\x00\x00\x00", MP3, Voice},
		"MP3":                {"\xff\xfb\x90\x64\x00", MP3, Voice},
		"AAC":                {"\xff\xf1\x50\x80\x03\xdf\xfc\x21", AAC, Voice},
		"M4A":                {box("M4A ", "isom"), M4A, Voice},
		"OGG":                {"OggS\x00\x02", OGG, Voice},
		"AMR":                {"#!AMR\n\x3c", AMR, Voice},
		"FLAC":               {"fLaC\x00\x00", FLAC, Voice},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Sniff([]byte(c.head))
			if err != nil || got != c.want || got.Kind() != c.kind {
				t.Errorf("got %s (%s), %v; want %s", got, got.Kind(), err, c.want)
			}
		})
	}
}

func TestWhatIsNotOnTheListIsRefused(t *testing.T) {
	for name, head := range map[string]string{
		"nothing":           "",
		"HTML":              "<!DOCTYPE html><script>",
		"SVG":               "<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\">",
		"HLS playlist":      "#EXTM3U\n#EXT-X-VERSION:3\n",
		"PLS playlist":      "[playlist]\nFile1=http://127.0.0.1/",
		"ffconcat":          "ffconcat version 1.0\n",
		"DASH":              "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\">",
		"SDP":               "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
		"TIFF":              "II*\x00\x08\x00\x00\x00",
		"PDF":               "%PDF-1.7",
		"ZIP":               "PK\x03\x04",
		"ELF":               "\x7fELF\x02\x01\x01",
		"PSD":               "8BPS\x00\x01",
		"AVI":               "RIFF\x10\x00\x00\x00AVI LIST",
		"text":              "BMW is a car, and this is text",
		"half a PNG":        "\x89PNG\r\n",
		"unknown brand":     "\x00\x00\x00\x14ftypzzzz\x00\x00\x00\x00yyyy",
		"brand box too big": "\x7f\x00\x00\x14ftypisom\x00\x00\x00\x00isom",
		"other Matroska":    "\x1a\x45\xdf\xa3\x9f\x42\x82\x85other",
		"MPEG layer II":     "\xff\xfd\x90\x64\x00",
		"space before PNG":  " \x89PNG\r\n\x1a\n",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := Sniff([]byte(head)); !errors.Is(err, ErrUnsupported) || got != "" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
