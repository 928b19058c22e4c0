-- +goose Up
CREATE TABLE tenants (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL
);

CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenants (id),
  name TEXT NOT NULL,
  hash BYTEA NOT NULL,
  scopes TEXT NOT NULL,
  rate DOUBLE PRECISION NOT NULL,
  burst BIGINT NOT NULL,
  body_limit BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX api_keys_tenant ON api_keys (tenant, id);

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL CHECK (role IN ('reviewer', 'senior', 'auditor', 'ml', 'admin')),
  password_hash TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  disabled_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE sessions (
  hash BYTEA PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id),
  csrf TEXT NOT NULL,
  idle BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE login_throttle (
  id TEXT PRIMARY KEY,
  failures BIGINT NOT NULL,
  last_at BIGINT NOT NULL,
  locked_until BIGINT NOT NULL
);

CREATE TABLE accounts (
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  age BIGINT,
  age_at BIGINT NOT NULL,
  birth_month TEXT NOT NULL,
  locale TEXT NOT NULL,
  wrapped BYTEA NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, id)
);

CREATE TABLE guardians (
  tenant TEXT NOT NULL,
  child TEXT NOT NULL,
  id TEXT NOT NULL,
  place BIGINT NOT NULL,
  relation TEXT NOT NULL,
  locale TEXT NOT NULL,
  channels BYTEA NOT NULL,
  quiet_from TEXT NOT NULL,
  quiet_to TEXT NOT NULL,
  zone TEXT NOT NULL,
  bound_at BIGINT NOT NULL,
  PRIMARY KEY (tenant, child, id)
);

CREATE TABLE uploads (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  content_type TEXT NOT NULL,
  bytes BIGINT NOT NULL,
  sha256 TEXT NOT NULL,
  media_key TEXT NOT NULL UNIQUE,
  wrapped BYTEA NOT NULL,
  stored BIGINT NOT NULL DEFAULT 0,
  item_id TEXT UNIQUE,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX uploads_expiry ON uploads (expires_at) WHERE item_id IS NULL;

CREATE TABLE item_transitions (
  old_state TEXT NOT NULL,
  new_state TEXT NOT NULL,
  PRIMARY KEY (old_state, new_state)
);
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
  body_hash BYTEA NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('message', 'photo', 'video', 'voice')),
  sender TEXT NOT NULL,
  sender_age BIGINT,
  recipients TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  audience TEXT NOT NULL,
  locale TEXT NOT NULL,
  sent_at BIGINT NOT NULL,
  received_at BIGINT NOT NULL,
  media_key TEXT NOT NULL,
  media_type TEXT NOT NULL,
  media_bytes BIGINT NOT NULL,
  media_sha256 TEXT NOT NULL,
  stage TEXT NOT NULL,
  queue TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending',
  ending TEXT NOT NULL DEFAULT '',
  action TEXT NOT NULL DEFAULT '',
  attempt BIGINT NOT NULL DEFAULT 0,
  spent BIGINT NOT NULL DEFAULT 0,
  lease_worker TEXT NOT NULL DEFAULT '',
  lease_until BIGINT NOT NULL DEFAULT 0,
  hold BIGINT NOT NULL DEFAULT 0,
  closed_at BIGINT NOT NULL DEFAULT 0,
  expires_at BIGINT NOT NULL DEFAULT 0,
  purged_at BIGINT NOT NULL DEFAULT 0,
  CHECK ((state IN ('pending', 'judged', 'in_review') AND ending = '')
    OR (state = 'closed' AND ending IN ('allowed', 'blocked', 'resolved'))
    OR (state = 'quarantined' AND ending = 'quarantined')
    OR (state = 'erased' AND ending = 'erased'))
);
CREATE UNIQUE INDEX items_external ON items (tenant, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX items_idempotency ON items (tenant, idempotency) WHERE idempotency IS NOT NULL;
CREATE INDEX items_state ON items (tenant, state, id);
CREATE INDEX items_conversation ON items (tenant, conversation_id, id) WHERE conversation_id <> '';
CREATE INDEX items_sender ON items (tenant, sender, id);
CREATE INDEX items_flight ON items (received_at) WHERE ending = '';
CREATE INDEX items_expiry ON items (expires_at) WHERE expires_at > 0 AND purged_at = 0;

-- +goose StatementBegin
CREATE FUNCTION items_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> NEW.state
    AND NOT EXISTS (SELECT 1 FROM item_transitions WHERE old_state = OLD.state AND new_state = NEW.state) THEN
    RAISE EXCEPTION 'illegal transition';
  END IF;
  RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER items_transition BEFORE UPDATE OF state ON items FOR EACH ROW EXECUTE FUNCTION items_transition();
-- +goose StatementBegin
CREATE FUNCTION items_start() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state <> 'pending' THEN
    RAISE EXCEPTION 'illegal transition';
  END IF;
  RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER items_start BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION items_start();
-- +goose StatementBegin
CREATE FUNCTION items_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'illegal transition: items are never deleted';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER items_keep BEFORE DELETE ON items FOR EACH ROW EXECUTE FUNCTION items_keep();

CREATE TABLE item_secrets (
  item_id TEXT PRIMARY KEY,
  wrapped BYTEA NOT NULL,
  body BYTEA NOT NULL
);

CREATE TABLE evidence (
  item_id TEXT NOT NULL,
  n BIGINT NOT NULL,
  kind TEXT NOT NULL,
  media_key TEXT NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (item_id, n)
);

CREATE TABLE verdicts (
  item_id TEXT PRIMARY KEY,
  attempt BIGINT NOT NULL,
  policy_version TEXT NOT NULL,
  action TEXT NOT NULL,
  severity BIGINT NOT NULL,
  body TEXT NOT NULL,
  decided_at BIGINT NOT NULL
);

CREATE TABLE signals (
  item_id TEXT NOT NULL,
  n BIGINT NOT NULL,
  label TEXT NOT NULL,
  score DOUBLE PRECISION NOT NULL,
  source TEXT NOT NULL,
  PRIMARY KEY (item_id, n)
);

CREATE TABLE outbox (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  subject TEXT NOT NULL,
  ref TEXT NOT NULL,
  stage TEXT NOT NULL,
  queue TEXT NOT NULL,
  generation BIGINT NOT NULL DEFAULT 0,
  due_at BIGINT NOT NULL,
  claimed_until BIGINT NOT NULL DEFAULT 0,
  sent_at BIGINT NOT NULL DEFAULT 0,
  UNIQUE (ref, stage)
);
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
  severity BIGINT NOT NULL,
  priority DOUBLE PRECISION NOT NULL,
  opened_at BIGINT NOT NULL,
  deadline_at BIGINT NOT NULL,
  votes BIGINT NOT NULL DEFAULT 0,
  votes_needed BIGINT NOT NULL,
  needs_role TEXT NOT NULL DEFAULT '',
  reports BIGINT NOT NULL DEFAULT 0,
  reviewer TEXT NOT NULL DEFAULT '',
  token TEXT NOT NULL DEFAULT '',
  lease_until BIGINT NOT NULL DEFAULT 0,
  closed_at BIGINT NOT NULL DEFAULT 0,
  action TEXT NOT NULL DEFAULT '',
  CHECK ((state = 'open' AND action = '') OR (state = 'closed' AND action <> ''))
);
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
  note BYTEA NOT NULL,
  at BIGINT NOT NULL,
  undone_at BIGINT NOT NULL DEFAULT 0,
  closed_case BIGINT NOT NULL DEFAULT 0,
  closed_item BIGINT NOT NULL DEFAULT 0,
  old_action TEXT NOT NULL DEFAULT '',
  old_role TEXT NOT NULL DEFAULT '',
  old_needed BIGINT NOT NULL DEFAULT 1,
  old_expires BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX votes_once ON votes (case_id, reviewer) WHERE undone_at = 0;

CREATE TABLE skips (
  case_id TEXT NOT NULL,
  reviewer TEXT NOT NULL,
  reason TEXT NOT NULL,
  until BIGINT NOT NULL,
  PRIMARY KEY (case_id, reviewer)
);

CREATE TABLE reports (
  item_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  reporter TEXT NOT NULL,
  case_id TEXT NOT NULL,
  label TEXT NOT NULL,
  note BYTEA NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (item_id, kind, reporter)
);
CREATE INDEX reports_case ON reports (case_id);

CREATE TABLE exposures (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  reviewer TEXT NOT NULL,
  case_id TEXT NOT NULL,
  at BIGINT NOT NULL
);
CREATE INDEX exposures_reviewer ON exposures (reviewer, at);

CREATE TABLE endpoints (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  url TEXT NOT NULL,
  events TEXT NOT NULL,
  wrapped BYTEA NOT NULL,
  secrets BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  disabled_at BIGINT NOT NULL DEFAULT 0,
  disabled_why TEXT NOT NULL DEFAULT ''
);
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
  attempts BIGINT NOT NULL DEFAULT 0,
  tries BIGINT NOT NULL DEFAULT 0,
  fence BIGINT NOT NULL DEFAULT 0,
  worker TEXT NOT NULL DEFAULT '',
  lease_until BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  done_at BIGINT NOT NULL DEFAULT 0,
  CONSTRAINT deliveries_once UNIQUE (item_id, policy_version, effect, recipient)
);
CREATE INDEX deliveries_recipient ON deliveries (tenant, recipient, id);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'pending';

CREATE TABLE attempts (
  delivery_id TEXT NOT NULL REFERENCES deliveries (id),
  n BIGINT NOT NULL,
  at BIGINT NOT NULL,
  channel TEXT NOT NULL,
  delivered BIGINT NOT NULL,
  status_code BIGINT NOT NULL,
  error_class TEXT NOT NULL,
  retry_in BIGINT NOT NULL,
  took BIGINT NOT NULL,
  PRIMARY KEY (delivery_id, n)
);

CREATE TABLE audit_heads (
  chain TEXT PRIMARY KEY,
  seq BIGINT NOT NULL,
  hash TEXT NOT NULL
);

CREATE TABLE audit (
  chain TEXT NOT NULL,
  seq BIGINT NOT NULL,
  at BIGINT NOT NULL,
  actor TEXT NOT NULL,
  act TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  prev TEXT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (chain, seq)
);
-- +goose StatementBegin
CREATE FUNCTION audit_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit lines are never changed';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION audit_no_update();
-- +goose StatementBegin
CREATE FUNCTION audit_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit lines are never deleted';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_no_delete();

CREATE TABLE media_trash (
  media_key TEXT PRIMARY KEY,
  at BIGINT NOT NULL
);

CREATE TABLE dead_letters (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  reason TEXT NOT NULL,
  at BIGINT NOT NULL
);
