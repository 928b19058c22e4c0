-- +goose Up
-- the key, wrapped, of what was written about an item whose own key was gone; null where the item's key seals it
ALTER TABLE reports ADD COLUMN wrapped BLOB;
CREATE INDEX reports_own_key ON reports (item_id) WHERE wrapped IS NOT NULL;

-- one row for each erasure of an account; account is a hash of its id
CREATE TABLE erasures (
  tenant TEXT NOT NULL,
  account BLOB NOT NULL,
  receipt TEXT NOT NULL,
  at INTEGER NOT NULL,
  done INTEGER NOT NULL,
  erased INTEGER NOT NULL,
  held INTEGER NOT NULL,
  PRIMARY KEY (tenant, account)
) STRICT;
CREATE INDEX erasures_at ON erasures (at);

-- an erasure finds what is left, batch by batch, without passing what it has erased
CREATE INDEX items_unerased ON items (tenant, sender, id) WHERE state <> 'erased';
CREATE INDEX reports_reporter ON reports (reporter);
CREATE INDEX guardians_person ON guardians (tenant, id);
