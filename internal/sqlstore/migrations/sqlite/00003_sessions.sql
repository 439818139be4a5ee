-- +goose Up
CREATE TABLE ringwall_sessions (
	id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
	user_id BLOB NOT NULL REFERENCES ringwall_users (id) ON DELETE CASCADE,
	device_id BLOB,
	token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
	created_micros BIGINT NOT NULL,
	last_seen_micros BIGINT NOT NULL,
	expires_micros BIGINT NOT NULL,
	idle_micros BIGINT NOT NULL,
	fresh_micros BIGINT NOT NULL,
	remembered BOOLEAN NOT NULL,
	bearer BOOLEAN NOT NULL,
	address TEXT NOT NULL,
	user_agent TEXT NOT NULL
);
CREATE INDEX ringwall_sessions_user ON ringwall_sessions (user_id);
