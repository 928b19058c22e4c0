// Package qr reads QR codes in a picture and tells what following one would do: open a contact, ask for money, or
// open some other page. A code is the shortest way around every filter of words, since a child's phone turns it into
// an address that nobody saw written.
package qr

import (
	"errors"
	"fmt"
	"strings"

	"github.com/makiuchi-d/gozxing"
	multi "github.com/makiuchi-d/gozxing/multi/qrcode"

	"nightlight/pipeline"
)

// Code is one code of a picture.
type Code struct {
	Text string
	Box  [4]float64 // left, top, width, height around its finder marks, in pixels
}

// Limits of one picture.
const (
	maxCodes = 32
	maxText  = 1024 // bytes of a code's text that are kept
)

// Read gives the codes of a picture: rows from the top, three bytes a pixel. None is no error, and more says that
// there are others besides. A picture that makes the decoder panic is an error.
func Read(width, height int, rgb []byte) (codes []Code, more bool, err error) {
	defer func() {
		if recover() != nil { // its words could quote the code
			codes, more, err = nil, false, errors.New("read QR codes: the decoder panicked")
		}
	}()
	if width < 1 || height < 1 || width > 1<<14 || height > 1<<14 || len(rgb) != 3*width*height {
		return nil, false, errors.New("read QR codes: not a picture")
	}
	if width < 21 || height < 21 { // the smallest code has as many modules
		return nil, false, nil
	}
	grey := greyOf(rgb)
	if !marked(width, height, grey) {
		return nil, false, nil
	}
	bitmap, err := gozxing.NewBinaryBitmap(gozxing.NewHybridBinarizer(source(width, height, grey)))
	if err != nil {
		return nil, false, fmt.Errorf("read QR codes: %w", err)
	}
	dots, err := bitmap.GetBlackMatrix()
	if err != nil || crowded(dots) {
		return nil, false, nil // nothing to see, or more marks than the decoder can sort out in bearable time
	}
	found, err := multi.NewQRCodeMultiReader().DecodeMultiple(bitmap, nil)
	if err != nil && len(found) == 0 {
		return nil, false, nil // not found is its usual answer
	}
	for _, f := range found[:min(len(found), maxCodes)] {
		text := strings.ToValidUTF8(f.GetText(), "")
		if text = strings.ToValidUTF8(text[:min(len(text), maxText)], ""); text != "" {
			codes = append(codes, Code{Text: text, Box: around(f.GetResultPoints())})
		}
	}
	return codes, len(found) > maxCodes, nil
}

func source(width, height int, grey []byte) gozxing.LuminanceSource {
	pixels := make([]int, width*height)
	for i, v := range grey {
		pixels[i] = int(v) * 0x010101
	}
	return gozxing.NewRGBLuminanceSource(width, height, pixels)
}

func around(points []gozxing.ResultPoint) (box [4]float64) {
	if len(points) == 0 {
		return box
	}
	left, top := points[0].GetX(), points[0].GetY()
	right, bottom := left, top
	for _, p := range points {
		left, right = min(left, p.GetX()), max(right, p.GetX())
		top, bottom = min(top, p.GetY()), max(bottom, p.GetY())
	}
	return [4]float64{left, top, right - left, bottom - top}
}

// Ref is the source of the signals of this package.
var Ref = pipeline.ModelRef{Name: "qr", Version: "1"}

// Scores of what a code does.
const (
	contactScore = 0.85
	payScore     = 0.8
)

// contacts and payments are beginnings of codes, in lower case, without http:// or https:// and www.
var (
	contacts = []string{"u.wechat.com/", "weixin.qq.com/r/", "weixin.qq.com/g/", "weixin://contacts", "weixin://dl/", "qm.qq.com/", "qq.com/q/", "mqqapi://card",
		"mqqopensdkapi://", "tel:", "mailto:", "sms:", "smsto:", "mecard:", "begin:vcard", "wa.me/", "t.me/", "line.me/", "discord.gg/", "snapchat.com/add/",
		"instagram.com/", "facebook.com/", "m.me/", "v.douyin.com/", "xhslink.com/"}
	payments = []string{"wxp://", "weixin://wxpay", "qr.alipay.com/", "payapp.weixin.qq.com/", "i.qianbao.qq.com/", "paypal.me/", "alipays://"}
)

// Signal tells what following a code does. It is false for a code that only holds text or an address of no known
// meaning: that is judged as the text that it is.
func Signal(code string) (pipeline.Signal, bool) {
	s := pipeline.Signal{Source: Ref.String(), In: "qr"}
	c := strings.ToLower(strings.TrimSpace(code))
	c = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(c, "http://"), "https://"), "www.")
	switch {
	case begins(c, payments):
		s.Label, s.Score = pipeline.ScamPaymentRequest, payScore
	case begins(c, contacts):
		s.Label, s.Score = pipeline.PrivacyGives, contactScore
	default:
		return s, false
	}
	return s, true
}

func begins(s string, with []string) bool {
	for _, w := range with {
		if strings.HasPrefix(s, w) {
			return true
		}
	}
	return false
}
