-- +goose Up
CREATE TABLE ringwall_signups (
	id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
	email TEXT NOT NULL,
	email_canonical TEXT NOT NULL,
	display_name TEXT NOT NULL,
	network TEXT NOT NULL,
	password BLOB NOT NULL,
	token_mac BLOB NOT NULL UNIQUE,
	code_mac BLOB NOT NULL,
	flow_mac BLOB NOT NULL,
	code_tries BIGINT NOT NULL,
	code_micros BIGINT NOT NULL,
	created_micros BIGINT NOT NULL,
	expires_micros BIGINT NOT NULL
);
CREATE INDEX ringwall_signups_email ON ringwall_signups (email_canonical, created_micros);
CREATE INDEX ringwall_signups_expires ON ringwall_signups (expires_micros);
