-- +goose Up
CREATE TABLE ringwall_audit_seals (
	n BIGINT NOT NULL PRIMARY KEY,
	first_seq BIGINT NOT NULL,
	last_seq BIGINT NOT NULL,
	last_tx BIGINT NOT NULL,
	members BLOB NOT NULL,
	previous BLOB NOT NULL,
	mac BLOB NOT NULL,
	created_micros BIGINT NOT NULL
);
