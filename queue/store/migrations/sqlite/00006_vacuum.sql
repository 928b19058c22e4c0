-- +goose NO TRANSACTION
-- +goose Up
-- what was deleted before the writer had secure_delete lies in free pages still; it needs as much free disk as the file has bytes
VACUUM;
