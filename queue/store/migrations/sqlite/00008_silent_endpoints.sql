-- +goose Up
-- an endpoint that does not answer is left alone until rest_until, and then tried by one alone
ALTER TABLE endpoints ADD COLUMN silent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE endpoints ADD COLUMN rest_until INTEGER NOT NULL DEFAULT 0;

-- began_at is when a worker first took a delivery up, since it was written or last replayed; put_off is 1 while it waits untried
ALTER TABLE deliveries ADD COLUMN began_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN put_off INTEGER NOT NULL DEFAULT 0;
CREATE INDEX deliveries_put_off ON deliveries (tenant, recipient, id) WHERE put_off = 1 AND state = 'pending';
