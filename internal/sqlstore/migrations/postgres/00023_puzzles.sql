-- +goose Up
CREATE TABLE ringwall_puzzles (
	key BYTEA NOT NULL PRIMARY KEY,
	expires_micros BIGINT NOT NULL
);
CREATE INDEX ringwall_puzzles_expires ON ringwall_puzzles (expires_micros);
