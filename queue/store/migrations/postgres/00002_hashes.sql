-- +goose Up
CREATE TABLE hash_banks (
  name TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('pdq', 'sha256')),
  threshold BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE bank_hashes (
  bank TEXT NOT NULL REFERENCES hash_banks (name),
  hash BYTEA NOT NULL,
  reference TEXT NOT NULL,
  added_at BIGINT NOT NULL,
  PRIMARY KEY (bank, hash)
);

-- one row, whose number grows with every change of a bank
CREATE TABLE hash_state (
  id BIGINT PRIMARY KEY CHECK (id = 1),
  version BIGINT NOT NULL
);
INSERT INTO hash_state (id, version) VALUES (1, 0);

CREATE TABLE prints (
  item_id TEXT PRIMARY KEY REFERENCES items (id),
  tenant TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  models TEXT NOT NULL,
  pdq BYTEA NOT NULL,
  quality BIGINT NOT NULL,
  alone BIGINT NOT NULL,
  scores TEXT NOT NULL,
  made_at BIGINT NOT NULL
);
CREATE INDEX prints_file ON prints (tenant, sha256, item_id);

CREATE TABLE print_words (
  item_id TEXT NOT NULL,
  tenant TEXT NOT NULL,
  slot BIGINT NOT NULL,
  word BIGINT NOT NULL,
  PRIMARY KEY (item_id, slot)
);
CREATE INDEX print_words_near ON print_words (tenant, slot, word);

CREATE TABLE case_copies (
  item_id TEXT PRIMARY KEY REFERENCES items (id),
  case_id TEXT NOT NULL REFERENCES cases (id),
  distance BIGINT NOT NULL,
  same_file BIGINT NOT NULL,
  joined_at BIGINT NOT NULL,
  vote_id TEXT NOT NULL DEFAULT '',
  old_action TEXT NOT NULL DEFAULT '',
  old_expires BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX case_copies_case ON case_copies (case_id);
