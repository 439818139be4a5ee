-- +goose Up
CREATE TABLE ringwall_links (
	id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
	user_id BLOB NOT NULL REFERENCES ringwall_users (id) ON DELETE CASCADE,
	purpose TEXT NOT NULL,
	token_mac BLOB NOT NULL UNIQUE,
	created_micros BIGINT NOT NULL,
	expires_micros BIGINT NOT NULL
);
CREATE INDEX ringwall_links_user ON ringwall_links (user_id, purpose, created_micros);
CREATE INDEX ringwall_links_expires ON ringwall_links (expires_micros);
