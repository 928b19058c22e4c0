-- +goose Up
-- the key, wrapped, of what was written about an item whose own key was gone; null where the item's key seals it
ALTER TABLE reports ADD COLUMN wrapped BYTEA;
CREATE INDEX reports_own_key ON reports (item_id) WHERE wrapped IS NOT NULL;

-- one row for each erasure of an account; account is a hash of its id
CREATE TABLE erasures (
  tenant TEXT NOT NULL,
  account BYTEA NOT NULL,
  receipt TEXT NOT NULL,
  at BIGINT NOT NULL,
  done BIGINT NOT NULL,
  erased BIGINT NOT NULL,
  held BIGINT NOT NULL,
  PRIMARY KEY (tenant, account)
);
CREATE INDEX erasures_at ON erasures (at);

-- an erasure finds what is left, batch by batch, without passing what it has erased
CREATE INDEX items_unerased ON items (tenant, sender, id) WHERE state <> 'erased';
CREATE INDEX reports_reporter ON reports (reporter);
CREATE INDEX guardians_person ON guardians (tenant, id);
