-- +goose Up
CREATE TABLE ringwall_audit (
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	tx BIGINT NOT NULL DEFAULT 0,
	id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
	time_micros BIGINT NOT NULL,
	name TEXT NOT NULL,
	actor_kind TEXT NOT NULL,
	actor_name TEXT NOT NULL,
	actor_user BLOB,
	user_id BLOB,
	session_id BLOB,
	request_id TEXT NOT NULL,
	route TEXT NOT NULL,
	reason TEXT NOT NULL,
	count BIGINT NOT NULL,
	personal BLOB,
	mark BLOB NOT NULL
);
CREATE INDEX ringwall_audit_tx ON ringwall_audit (tx, seq);
