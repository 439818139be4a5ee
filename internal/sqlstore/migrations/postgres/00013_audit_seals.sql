-- +goose Up
CREATE TABLE ringwall_audit_seals (
	n BIGINT NOT NULL PRIMARY KEY,
	first_seq BIGINT NOT NULL,
	last_seq BIGINT NOT NULL,
	last_tx BIGINT NOT NULL,
	members BYTEA NOT NULL,
	previous BYTEA NOT NULL,
	mac BYTEA NOT NULL,
	created_micros BIGINT NOT NULL
);
