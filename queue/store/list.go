package store

import (
	"context"
	"fmt"
)

// Filter narrows a list. Zero fields do not.
type Filter struct {
	State        State
	ExternalID   string
	Sender       string
	Conversation string
	// Cursor is the opaque next of the page before.
	Cursor string
	// Limit is at most 1,000 (default 100).
	Limit int
}

// Items lists a tenant's items, newest first, and returns the cursor of the
// next page, empty at the end. A cursor that we did not make gives
// ErrNotFound.
func (s *Store) Items(ctx context.Context, tenant string, f Filter) (items []Item, next string, err error) {
	where, a := "i.tenant = $1", args(tenant)
	narrow := func(column, value string) {
		if value != "" {
			a = append(a, value)
			where += fmt.Sprintf(" AND i.%s = $%d", column, len(a))
		}
	}
	narrow("state", string(f.State))
	narrow("external_id", f.ExternalID)
	narrow("sender", f.Sender)
	narrow("conversation_id", f.Conversation)
	if f.Cursor != "" {
		id, ok := idOf(f.Cursor, "item")
		if !ok {
			return nil, "", fmt.Errorf("list items: cursor: %w", ErrNotFound)
		}
		a = append(a, id)
		where += fmt.Sprintf(" AND i.id < $%d", len(a))
	}
	limit := page(f.Limit)
	a = append(a, limit+1)
	items, err = allOf(s.reader(ctx), itemQuery+" WHERE "+where+fmt.Sprintf(" ORDER BY i.id DESC LIMIT $%d", len(a)), a, scanItemVerdict)
	if err != nil {
		return nil, "", fmt.Errorf("list items: %w", err)
	}
	if len(items) > limit {
		items = items[:limit]
		next = cursorOf(items[limit-1].ID)
	}
	return items, next, nil
}
