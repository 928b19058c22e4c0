-- +goose Up
-- what was decided about an item is read with it, and the notes on it go with it
CREATE INDEX votes_item ON votes (item_id, id);
-- the trash is emptied oldest first
CREATE INDEX media_trash_at ON media_trash (at, media_key);
