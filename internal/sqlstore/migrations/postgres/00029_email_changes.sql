-- +goose Up
CREATE TABLE ringwall_email_changes (
	user_id BYTEA NOT NULL PRIMARY KEY REFERENCES ringwall_users (id) ON DELETE CASCADE,
	email TEXT NOT NULL,
	email_canonical TEXT NOT NULL,
	approve_mac BYTEA NOT NULL UNIQUE,
	confirm_mac BYTEA NOT NULL UNIQUE,
	approved_micros BIGINT NOT NULL DEFAULT 0,
	confirmed_micros BIGINT NOT NULL DEFAULT 0,
	created_micros BIGINT NOT NULL,
	expires_micros BIGINT NOT NULL
);
CREATE INDEX ringwall_email_changes_expires ON ringwall_email_changes (expires_micros);
