-- +goose Up
CREATE TABLE ringwall_keys (
	id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
	purpose TEXT NOT NULL,
	key BLOB NOT NULL,
	created_micros BIGINT NOT NULL
);
CREATE UNIQUE INDEX ringwall_keys_purpose ON ringwall_keys (purpose);
CREATE TABLE ringwall_person_keys (
	user_id BLOB NOT NULL PRIMARY KEY CHECK (length(user_id) = 16),
	wrapped BLOB NOT NULL
);
