-- +goose Up
CREATE TABLE ringwall_attempts (
	key BLOB NOT NULL PRIMARY KEY,
	window_micros BIGINT NOT NULL,
	tries BIGINT NOT NULL,
	strikes INTEGER NOT NULL,
	locked_micros BIGINT NOT NULL,
	tripped BOOLEAN NOT NULL,
	expires_micros BIGINT NOT NULL
);
CREATE INDEX ringwall_attempts_expires ON ringwall_attempts (expires_micros);
