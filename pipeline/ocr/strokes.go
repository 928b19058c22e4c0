package ocr

// Sizes and bars of the search for fine strokes, set on drawn letters of 10 to 20 pixels and on photographs.
const (
	tileSide   = 16 // pixels
	swing      = 40 // of 255: a smaller change of light is no stroke
	tileSwings = 24 // changes of direction in a tile, along its rows and down its columns alike, from which it is busy
	wordTiles  = 3  // a word makes as many busy tiles side by side
)

// strokes tells whether a picture has a place as busy as a word of small letters is: light and dark take turns every
// few pixels, both ways, over some tiles in a row or a column. Most photographs have none, and then a look for large
// letters is enough. It costs a fiftieth of asking the network.
func (p Picture) strokes() bool {
	grey := make([]byte, p.Width*p.Height)
	for i := range grey {
		grey[i] = byte((int(p.Pix[3*i]) + 2*int(p.Pix[3*i+1]) + int(p.Pix[3*i+2])) / 4)
	}
	above := make([]int, p.Width/tileSide)
	for y := 0; y+tileSide <= p.Height; y += tileSide {
		beside := 0
		for i := range above {
			tile := grey[y*p.Width+i*tileSide:]
			if swings(tile, p.Width, 1) < tileSwings || swings(tile, 1, p.Width) < tileSwings {
				beside, above[i] = 0, 0
				continue
			}
			beside++
			above[i]++
			if max(beside, above[i]) >= wordTiles {
				return true
			}
		}
	}
	return false
}

// swings counts how often the light in a tile turns from rising to falling or back by more than swing, line by line:
// next is the way from line to line, step the way along it.
func swings(tile []byte, next, step int) (n int) {
	for line := range tileSide {
		at := line * next
		low, high, up := int(tile[at]), int(tile[at]), 0
		for range tileSide {
			v := int(tile[at])
			low, high = min(low, v), max(high, v)
			if up >= 0 && v <= high-swing {
				n, up, low = n+up, -1, v
			} else if up <= 0 && v >= low+swing {
				n, up, high = n-up, 1, v
			}
			if at += step; at >= len(tile) {
				break
			}
		}
	}
	return n
}
