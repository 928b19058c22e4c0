package media

import (
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"slices"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// Test cards are how anybody can trip the real system without harmful material:
// a generated picture of coloured cells that ReadTestCard turns back into a label.
//
// A card is a white ring, a black ring and six by six cells of four colours. The
// cells at the corners are fixed and tell how the card is turned; the other 32
// hold 64 bits: 16 of magic, 8 of version, 8 of label number and a CRC-32 of
// those. A picture that is not a card would have to guess 56 of them.
const (
	cardSide    = 512 // pixels of the square; a caption stands below it
	cardCaption = 40  // pixels
	cardWhite   = 16  // pixels of the white ring
	cardBlack   = 40  // pixels of the black ring
	cardCells   = 6
	cardMagic   = 0x4e4c // "NL"
	cardVersion = 1
)

var cardColours = [4]color.NRGBA{{215, 25, 30, 255}, {0, 150, 70, 255}, {20, 50, 215, 255}, {255, 215, 0, 255}}

// cardCorners are the colours at top left, top right, bottom right, bottom left.
var cardCorners = [4]int{0, 1, 2, 3}

// CardLabels are the labels that have a test card. The place in the list is the
// number on the card: append only.
var CardLabels = []string{
	"sexual.explicit", "sexual.suggestive", "sexual.text", "sexual.image_request", "sexual.image_offer", "sexual.extortion",
	"grooming.age_probe", "grooming.secrecy", "grooming.isolation", "grooming.inducement", "grooming.romance", "grooming.meeting",
	"selfharm.expressed", "selfharm.encouraged", "selfharm.eating",
	"bullying.insult", "bullying.exclusion", "bullying.threat", "bullying.doxxing", "bullying.hate",
	"privacy.asks", "privacy.gives", "scam.fraud", "scam.payment_request", "market.account_trade", "market.like_service",
	"wellbeing.like_pressure", "wellbeing.compulsive_use", "danger.substances", "danger.challenge",
	"violence.threat_other", "spam.flood", "unsupported.gore", "unsupported.weapons", "unsupported.drugs",
}

// TestCard draws the card of a label, 512 by 552 pixels with its name below, or
// fails for a label that has none.
func TestCard(label string) (image.Image, error) {
	number := slices.Index(CardLabels, label)
	if number < 0 {
		return nil, errors.New("media: no test card for that label")
	}
	img := image.NewNRGBA(image.Rect(0, 0, cardSide, cardSide+cardCaption))
	fill := func(r image.Rectangle, c color.Color) {
		draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
	}
	fill(img.Rect, color.White)
	square := image.Rect(0, 0, cardSide, cardSide)
	fill(square.Inset(cardWhite), color.Black)
	inner := square.Inset(cardWhite + cardBlack)
	for i, c := range cardCellsOf(number) {
		x, y := i%cardCells, i/cardCells
		fill(image.Rect(
			inner.Min.X+inner.Dx()*x/cardCells, inner.Min.Y+inner.Dy()*y/cardCells,
			inner.Min.X+inner.Dx()*(x+1)/cardCells, inner.Min.Y+inner.Dy()*(y+1)/cardCells), cardColours[c])
	}
	d := font.Drawer{Dst: img, Src: image.Black, Face: basicfont.Face7x13, Dot: fixed.P(cardWhite, cardSide+18)}
	d.DrawString("Nightlight test card, harmless: " + label)
	return img, nil
}

// cardCellsOf gives the colour number of each cell, row by row.
func cardCellsOf(number int) [cardCells * cardCells]int {
	bits := cardBits(number)
	var cells [cardCells * cardCells]int
	for i, place := 0, 0; i < len(cells); i++ {
		if k, ok := cornerOf(i); ok {
			cells[i] = cardCorners[k]
			continue
		}
		cells[i] = int(bits >> (62 - 2*place) & 3)
		place++
	}
	return cells
}

func cardBits(number int) uint64 {
	head := uint32(cardMagic)<<16 | cardVersion<<8 | uint32(number)
	sum := crc32.ChecksumIEEE([]byte{byte(head >> 24), byte(head >> 16), byte(head >> 8), byte(head)})
	return uint64(head)<<32 | uint64(sum)
}

func cornerOf(cell int) (k int, ok bool) {
	const n = cardCells
	k = slices.Index([]int{0, n - 1, n*n - 1, n * (n - 1)}, cell)
	return k, k >= 0
}
