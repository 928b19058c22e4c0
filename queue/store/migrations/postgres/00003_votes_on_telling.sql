-- +goose Up
-- whether the vote tells guardians; a vote of before is taken for a no
ALTER TABLE votes ADD COLUMN tell BIGINT NOT NULL DEFAULT 0;
-- the reason with which a case was handed to a senior
ALTER TABLE cases ADD COLUMN escalated TEXT NOT NULL DEFAULT '';
