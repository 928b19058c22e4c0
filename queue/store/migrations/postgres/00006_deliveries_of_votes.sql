-- +goose Up
-- an undo finds what a vote sent
CREATE INDEX deliveries_vote ON deliveries (vote_id) WHERE vote_id <> '';
