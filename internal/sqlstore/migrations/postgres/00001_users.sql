-- +goose Up
CREATE TABLE ringwall_users (
	id BYTEA NOT NULL PRIMARY KEY CHECK (length(id) = 16),
	email TEXT NOT NULL,
	email_canonical TEXT NOT NULL UNIQUE,
	display_name TEXT NOT NULL,
	password BYTEA NOT NULL,
	password_changed_micros BIGINT NOT NULL,
	created_micros BIGINT NOT NULL,
	locked_micros BIGINT NOT NULL DEFAULT 0,
	lock_reason TEXT NOT NULL DEFAULT ''
);
