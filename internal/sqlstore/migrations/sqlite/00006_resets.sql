-- +goose Up
CREATE TABLE ringwall_resets (
	id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
	user_id BLOB NOT NULL REFERENCES ringwall_users (id) ON DELETE CASCADE,
	token_mac BLOB NOT NULL UNIQUE,
	created_micros BIGINT NOT NULL,
	expires_micros BIGINT NOT NULL
);
CREATE INDEX ringwall_resets_user ON ringwall_resets (user_id, created_micros);
CREATE INDEX ringwall_resets_expires ON ringwall_resets (expires_micros);
