-- +goose Up
CREATE TABLE hash_banks (
  name TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('pdq', 'sha256')),
  threshold INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE bank_hashes (
  bank TEXT NOT NULL REFERENCES hash_banks (name),
  hash BLOB NOT NULL,
  reference TEXT NOT NULL,
  added_at INTEGER NOT NULL,
  PRIMARY KEY (bank, hash)
) STRICT;

-- one row, whose number grows with every change of a bank
CREATE TABLE hash_state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  version INTEGER NOT NULL
) STRICT;
INSERT INTO hash_state (id, version) VALUES (1, 0);

CREATE TABLE prints (
  item_id TEXT PRIMARY KEY REFERENCES items (id),
  tenant TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  models TEXT NOT NULL,
  pdq BLOB NOT NULL,
  quality INTEGER NOT NULL,
  alone INTEGER NOT NULL,
  scores TEXT NOT NULL,
  made_at INTEGER NOT NULL
) STRICT;
CREATE INDEX prints_file ON prints (tenant, sha256, item_id);

CREATE TABLE print_words (
  item_id TEXT NOT NULL,
  tenant TEXT NOT NULL,
  slot INTEGER NOT NULL,
  word INTEGER NOT NULL,
  PRIMARY KEY (item_id, slot)
) STRICT;
CREATE INDEX print_words_near ON print_words (tenant, slot, word);

CREATE TABLE case_copies (
  item_id TEXT PRIMARY KEY REFERENCES items (id),
  case_id TEXT NOT NULL REFERENCES cases (id),
  distance INTEGER NOT NULL,
  same_file INTEGER NOT NULL,
  joined_at INTEGER NOT NULL,
  vote_id TEXT NOT NULL DEFAULT '',
  old_action TEXT NOT NULL DEFAULT '',
  old_expires INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX case_copies_case ON case_copies (case_id);
