package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Print is what is remembered of an uploaded picture or film so that it is
// known again: its hashes, and what the models said of it. It holds no pixel
// and no word, and goes with the item's content.
type Print struct {
	ItemID string
	SHA256 string // hex, of the file
	// Models names exactly what gave the scores; scores of other models are
	// never reused.
	Models string
	// PDQ is of a still picture, nil for what moves. Quality is PDQ's.
	PDQ     []byte
	Quality int
	// Alone is true when nothing but the picture was sent: no caption.
	Alone bool
	// Scores is JSON of the models' findings, empty when there is nothing to
	// reuse.
	Scores string
	// Distance is in bits, for prints found by NearPrints.
	Distance int
}

// Near is up to how many of PDQ's 256 bits two pictures may differ to be
// treated as copies of each other without anybody looking at both. It is far
// below the 31 at which PDQ's authors call pictures the same, because what
// follows is not a look but the lack of one. A copy that was compressed again
// or scaled mostly differs in 0 to 6. And 7 is the most that a look-up by eight
// words of 32 bits finds without fail: one word of theirs is equal then.
const Near = 7

// NearQuality is the quality from which a hash is trusted for that.
const NearQuality = 50

const printSlots = 8

// keepPrint writes a print and the words under which it is found.
func (t *tx) keepPrint(tenant, itemID string, p Print) error {
	if p.PDQ == nil {
		p.PDQ = []byte{}
	}
	_, err := t.exec("INSERT INTO prints (item_id, tenant, sha256, models, pdq, quality, alone, scores, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		itemID, tenant, p.SHA256, p.Models, p.PDQ, p.Quality, flag(p.Alone), p.Scores, t.at)
	if err != nil || len(p.PDQ) != 4*printSlots || p.Quality < NearQuality {
		return err
	}
	var values []any
	for slot := range printSlots {
		values = append(values, itemID, tenant, slot, printWord(p.PDQ, slot))
	}
	_, err = t.exec("INSERT INTO print_words (item_id, tenant, slot, word) VALUES "+places(printSlots, 4), values...)
	return err
}

func printWord(pdq []byte, slot int) int64 { return int64(binary.BigEndian.Uint32(pdq[4*slot:])) }

const printColumns = "p.item_id, p.sha256, p.models, p.pdq, p.quality, p.alone, p.scores"

func scanPrint(row scanner) (p Print, err error) {
	var alone int
	err = row.Scan(&p.ItemID, &p.SHA256, &p.Models, &p.PDQ, &p.Quality, &alone, &p.Scores)
	p.Alone = alone == 1
	return p, err
}

// PrintOf returns the newest print of a file of the tenant with scores of these
// models, or ErrNotFound.
func (s *Store) PrintOf(ctx context.Context, tenant, sha256, models string) (p Print, err error) {
	err = firstOf(s.reader(ctx), "SELECT "+printColumns+` FROM prints p WHERE p.tenant = $1 AND p.sha256 = $2 AND p.models = $3 AND p.scores <> ''
		ORDER BY p.item_id DESC LIMIT 1`, args(tenant, sha256, models), scanPrint, &p)
	if err != nil {
		return Print{}, fmt.Errorf("find an earlier upload of the file: %w", err)
	}
	return p, nil
}

// NearPrints returns prints of the tenant's pictures at most Near bits from
// pdq, with scores of these models, nearest first and then newest first.
func (s *Store) NearPrints(ctx context.Context, tenant string, pdq []byte, models string) ([]Print, error) {
	list, err := s.reader(ctx).near(tenant, pdq, "p.models = $10 AND p.scores <> ''", models)
	if err != nil {
		return nil, fmt.Errorf("find earlier uploads of the picture: %w", err)
	}
	return list, nil
}

// nearMost bounds how many prints are compared. Copies of one picture share all
// of their words, and the newest are enough.
const nearMost = 200

// near finds prints by a word that they share; more narrows the search from
// parameter $10 on.
func (t *tx) near(tenant string, pdq []byte, narrow string, more ...any) ([]Print, error) {
	if len(pdq) != 4*printSlots {
		return nil, nil
	}
	a := args(tenant)
	where := ""
	for slot := range printSlots {
		a = append(a, printWord(pdq, slot))
		if slot > 0 {
			where += " OR "
		}
		where += fmt.Sprintf("w.slot = %d AND w.word = $%d", slot, len(a))
	}
	rows, err := allOf(t, "SELECT DISTINCT "+printColumns+" FROM print_words w JOIN prints p ON p.item_id = w.item_id WHERE w.tenant = $1 AND ("+where+") AND "+narrow+
		fmt.Sprintf(" ORDER BY p.item_id DESC LIMIT %d", nearMost), append(a, more...), scanPrint)
	if err != nil {
		return nil, err
	}
	// the nearest first, and the newest of those that are equally near
	found := make([][]Print, Near+1)
	for _, p := range rows {
		if p.Distance = bitsApart(p.PDQ, pdq); p.Distance <= Near {
			found[p.Distance] = append(found[p.Distance], p)
		}
	}
	var list []Print
	for _, some := range found {
		list = append(list, some...)
	}
	return list, nil
}

func bitsApart(a, b []byte) (n int) {
	if len(a) != len(b) {
		return 8 * max(len(a), len(b))
	}
	for i := range a {
		n += bits.OnesCount8(a[i] ^ b[i])
	}
	return n
}
