-- +goose Up
CREATE TABLE ringwall_blocks (
	prefix TEXT NOT NULL PRIMARY KEY,
	created_micros BIGINT NOT NULL,
	expires_micros BIGINT NOT NULL,
	reason TEXT NOT NULL,
	made_by TEXT NOT NULL
);
