-- +goose Up
CREATE TABLE tenants (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenants (id),
  name TEXT NOT NULL,
  hash BLOB NOT NULL,
  scopes TEXT NOT NULL,
  rate REAL NOT NULL,
  burst INTEGER NOT NULL,
  body_limit INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX api_keys_tenant ON api_keys (tenant, id);

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL CHECK (role IN ('reviewer', 'senior', 'auditor', 'ml', 'admin')),
  password_hash TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  disabled_at INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE sessions (
  hash BLOB PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id),
  csrf TEXT NOT NULL,
  idle INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE login_throttle (
  id TEXT PRIMARY KEY,
  failures INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  locked_until INTEGER NOT NULL
) STRICT;

CREATE TABLE accounts (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  age INTEGER,
  age_at INTEGER NOT NULL,
  birth_month TEXT NOT NULL,
  locale TEXT NOT NULL,
  wrapped BLOB NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE guardians (
  tenant TEXT NOT NULL,
  child TEXT NOT NULL,
  id TEXT NOT NULL,
  place INTEGER NOT NULL,
  relation TEXT NOT NULL,
  locale TEXT NOT NULL,
  channels BLOB NOT NULL,
  quiet_from TEXT NOT NULL,
  quiet_to TEXT NOT NULL,
  zone TEXT NOT NULL,
  bound_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, child, id)
) STRICT;

CREATE TABLE uploads (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  content_type TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  media_key TEXT NOT NULL UNIQUE,
  wrapped BLOB NOT NULL,
  stored INTEGER NOT NULL DEFAULT 0,
  item_id TEXT UNIQUE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX uploads_expiry ON uploads (expires_at) WHERE item_id IS NULL;

CREATE TABLE item_transitions (
  old_state TEXT NOT NULL,
  new_state TEXT NOT NULL,
  PRIMARY KEY (old_state, new_state)
) STRICT;
-- closed to in_review is a reviewer's undo within its window
INSERT INTO item_transitions (old_state, new_state) VALUES
  ('pending', 'judged'), ('judged', 'closed'), ('judged', 'in_review'), ('judged', 'quarantined'),
  ('in_review', 'closed'), ('closed', 'in_review'),
  ('pending', 'erased'), ('judged', 'erased'), ('in_review', 'erased'), ('closed', 'erased'), ('quarantined', 'erased');

CREATE TABLE items (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  external_id TEXT,
  idempotency TEXT,
  body_hash BLOB NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('message', 'photo', 'video', 'voice')),
  sender TEXT NOT NULL,
  sender_age INTEGER,
  recipients TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  audience TEXT NOT NULL,
  locale TEXT NOT NULL,
  sent_at INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  media_key TEXT NOT NULL,
  media_type TEXT NOT NULL,
  media_bytes INTEGER NOT NULL,
  media_sha256 TEXT NOT NULL,
  stage TEXT NOT NULL,
  queue TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending',
  ending TEXT NOT NULL DEFAULT '',
  action TEXT NOT NULL DEFAULT '',
  attempt INTEGER NOT NULL DEFAULT 0,
  spent INTEGER NOT NULL DEFAULT 0,
  lease_worker TEXT NOT NULL DEFAULT '',
  lease_until INTEGER NOT NULL DEFAULT 0,
  hold INTEGER NOT NULL DEFAULT 0,
  closed_at INTEGER NOT NULL DEFAULT 0,
  expires_at INTEGER NOT NULL DEFAULT 0,
  purged_at INTEGER NOT NULL DEFAULT 0,
  CHECK ((state IN ('pending', 'judged', 'in_review') AND ending = '')
    OR (state = 'closed' AND ending IN ('allowed', 'blocked', 'resolved'))
    OR (state = 'quarantined' AND ending = 'quarantined')
    OR (state = 'erased' AND ending = 'erased'))
) STRICT;
CREATE UNIQUE INDEX items_external ON items (tenant, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX items_idempotency ON items (tenant, idempotency) WHERE idempotency IS NOT NULL;
CREATE INDEX items_state ON items (tenant, state, id);
CREATE INDEX items_conversation ON items (tenant, conversation_id, id) WHERE conversation_id <> '';
CREATE INDEX items_sender ON items (tenant, sender, id);
CREATE INDEX items_flight ON items (received_at) WHERE ending = '';
CREATE INDEX items_expiry ON items (expires_at) WHERE expires_at > 0 AND purged_at = 0;

-- +goose StatementBegin
CREATE TRIGGER items_transition BEFORE UPDATE OF state ON items
WHEN OLD.state <> NEW.state
  AND NOT EXISTS (SELECT 1 FROM item_transitions WHERE old_state = OLD.state AND new_state = NEW.state)
BEGIN
  SELECT RAISE(ABORT, 'illegal transition');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER items_start BEFORE INSERT ON items
WHEN NEW.state <> 'pending'
BEGIN
  SELECT RAISE(ABORT, 'illegal transition');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER items_keep BEFORE DELETE ON items
BEGIN
  SELECT RAISE(ABORT, 'illegal transition: items are never deleted');
END;
-- +goose StatementEnd

CREATE TABLE item_secrets (
  item_id TEXT PRIMARY KEY,
  wrapped BLOB NOT NULL,
  body BLOB NOT NULL
) STRICT;

CREATE TABLE evidence (
  item_id TEXT NOT NULL,
  n INTEGER NOT NULL,
  kind TEXT NOT NULL,
  media_key TEXT NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (item_id, n)
) STRICT;

CREATE TABLE verdicts (
  item_id TEXT PRIMARY KEY,
  attempt INTEGER NOT NULL,
  policy_version TEXT NOT NULL,
  action TEXT NOT NULL,
  severity INTEGER NOT NULL,
  body TEXT NOT NULL,
  decided_at INTEGER NOT NULL
) STRICT;

CREATE TABLE signals (
  item_id TEXT NOT NULL,
  n INTEGER NOT NULL,
  label TEXT NOT NULL,
  score REAL NOT NULL,
  source TEXT NOT NULL,
  PRIMARY KEY (item_id, n)
) STRICT;

CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  subject TEXT NOT NULL,
  ref TEXT NOT NULL,
  stage TEXT NOT NULL,
  queue TEXT NOT NULL,
  generation INTEGER NOT NULL DEFAULT 0,
  due_at INTEGER NOT NULL,
  claimed_until INTEGER NOT NULL DEFAULT 0,
  sent_at INTEGER NOT NULL DEFAULT 0,
  UNIQUE (ref, stage)
) STRICT;
CREATE INDEX outbox_waiting ON outbox (due_at, id) WHERE sent_at = 0;
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE sent_at > 0;

CREATE TABLE cases (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  item_id TEXT NOT NULL REFERENCES items (id),
  kind TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
  labels TEXT NOT NULL,
  reasons TEXT NOT NULL,
  severity INTEGER NOT NULL,
  priority REAL NOT NULL,
  opened_at INTEGER NOT NULL,
  deadline_at INTEGER NOT NULL,
  votes INTEGER NOT NULL DEFAULT 0,
  votes_needed INTEGER NOT NULL,
  needs_role TEXT NOT NULL DEFAULT '',
  reports INTEGER NOT NULL DEFAULT 0,
  reviewer TEXT NOT NULL DEFAULT '',
  token TEXT NOT NULL DEFAULT '',
  lease_until INTEGER NOT NULL DEFAULT 0,
  closed_at INTEGER NOT NULL DEFAULT 0,
  action TEXT NOT NULL DEFAULT '',
  CHECK ((state = 'open' AND action = '') OR (state = 'closed' AND action <> ''))
) STRICT;
CREATE UNIQUE INDEX cases_one_open ON cases (item_id) WHERE state = 'open';
CREATE INDEX cases_queue ON cases (tenant, priority) WHERE state = 'open';
CREATE INDEX cases_item ON cases (item_id, id);

CREATE TABLE votes (
  id TEXT PRIMARY KEY,
  case_id TEXT NOT NULL REFERENCES cases (id),
  item_id TEXT NOT NULL,
  reviewer TEXT NOT NULL,
  action TEXT NOT NULL,
  labels TEXT NOT NULL,
  reason TEXT NOT NULL,
  note BLOB NOT NULL,
  at INTEGER NOT NULL,
  undone_at INTEGER NOT NULL DEFAULT 0,
  closed_case INTEGER NOT NULL DEFAULT 0,
  closed_item INTEGER NOT NULL DEFAULT 0,
  old_action TEXT NOT NULL DEFAULT '',
  old_role TEXT NOT NULL DEFAULT '',
  old_needed INTEGER NOT NULL DEFAULT 1,
  old_expires INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX votes_once ON votes (case_id, reviewer) WHERE undone_at = 0;

CREATE TABLE skips (
  case_id TEXT NOT NULL,
  reviewer TEXT NOT NULL,
  reason TEXT NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (case_id, reviewer)
) STRICT;

CREATE TABLE reports (
  item_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  reporter TEXT NOT NULL,
  case_id TEXT NOT NULL,
  label TEXT NOT NULL,
  note BLOB NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (item_id, kind, reporter)
) STRICT;
CREATE INDEX reports_case ON reports (case_id);

CREATE TABLE exposures (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  reviewer TEXT NOT NULL,
  case_id TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX exposures_reviewer ON exposures (reviewer, at);

CREATE TABLE endpoints (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  url TEXT NOT NULL,
  events TEXT NOT NULL,
  wrapped BLOB NOT NULL,
  secrets BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  disabled_at INTEGER NOT NULL DEFAULT 0,
  disabled_why TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX endpoints_tenant ON endpoints (tenant, id);

CREATE TABLE deliveries (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  item_id TEXT NOT NULL,
  case_id TEXT NOT NULL,
  policy_version TEXT NOT NULL,
  effect TEXT NOT NULL,
  recipient TEXT NOT NULL,
  stage TEXT NOT NULL,
  queue TEXT NOT NULL,
  urgency TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'pending', 'done', 'dead', 'cancelled')),
  payload TEXT NOT NULL,
  notice TEXT NOT NULL,
  vote_id TEXT NOT NULL DEFAULT '',
  attempts INTEGER NOT NULL DEFAULT 0,
  tries INTEGER NOT NULL DEFAULT 0,
  fence INTEGER NOT NULL DEFAULT 0,
  worker TEXT NOT NULL DEFAULT '',
  lease_until INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  done_at INTEGER NOT NULL DEFAULT 0,
  CONSTRAINT deliveries_once UNIQUE (item_id, policy_version, effect, recipient)
) STRICT;
CREATE INDEX deliveries_recipient ON deliveries (tenant, recipient, id);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'pending';

CREATE TABLE attempts (
  delivery_id TEXT NOT NULL REFERENCES deliveries (id),
  n INTEGER NOT NULL,
  at INTEGER NOT NULL,
  channel TEXT NOT NULL,
  delivered INTEGER NOT NULL,
  status_code INTEGER NOT NULL,
  error_class TEXT NOT NULL,
  retry_in INTEGER NOT NULL,
  took INTEGER NOT NULL,
  PRIMARY KEY (delivery_id, n)
) STRICT;

CREATE TABLE audit_heads (
  chain TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,
  hash TEXT NOT NULL
) STRICT;

CREATE TABLE audit (
  chain TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  act TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  prev TEXT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (chain, seq)
) STRICT;
-- +goose StatementBegin
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN
  SELECT RAISE(ABORT, 'audit lines are never changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN
  SELECT RAISE(ABORT, 'audit lines are never deleted');
END;
-- +goose StatementEnd

CREATE TABLE media_trash (
  media_key TEXT PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT;

CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
