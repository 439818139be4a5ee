-- +goose Up
CREATE TABLE ringwall_invitations (
	id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
	email TEXT NOT NULL,
	email_canonical TEXT NOT NULL UNIQUE,
	role TEXT NOT NULL,
	token_mac BLOB NOT NULL UNIQUE,
	invited_by BLOB,
	created_micros BIGINT NOT NULL,
	expires_micros BIGINT NOT NULL
);
