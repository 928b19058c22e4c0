package store

import (
	"context"
	"fmt"
	"iter"
)

// MediaRef is an object that the record expects in the media store.
type MediaRef struct {
	Key    string
	ItemID string
	SHA256 string
}

// MediaRefs walks every object that should exist: those of items and uploads,
// and those of evidence, without those in the trash.
func (s *Store) MediaRefs(ctx context.Context) iter.Seq2[MediaRef, error] {
	return func(yield func(MediaRef, error) bool) {
		for last := ""; ; {
			page, err := allOf(s.reader(ctx), mediaQuery, args(last), func(row scanner) (m MediaRef, err error) {
				err = row.Scan(&m.Key, &m.ItemID, &m.SHA256)
				return m, err
			})
			if err != nil {
				yield(MediaRef{}, fmt.Errorf("list media: %w", err))
				return
			}
			for _, m := range page {
				if !yield(m, nil) {
					return
				}
				last = m.Key
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

const mediaQuery = `SELECT m.k, m.item, m.sha FROM (
		SELECT media_key AS k, COALESCE(item_id, '') AS item, sha256 AS sha FROM uploads WHERE stored = 1
		UNION SELECT media_key, item_id, '' FROM evidence WHERE media_key <> ''
	) AS m WHERE m.k > $1 AND NOT EXISTS (SELECT 1 FROM media_trash x WHERE x.media_key = m.k)
	ORDER BY m.k LIMIT 500`
