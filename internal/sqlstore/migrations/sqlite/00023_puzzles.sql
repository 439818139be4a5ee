-- +goose Up
CREATE TABLE ringwall_puzzles (
	key BLOB NOT NULL PRIMARY KEY,
	expires_micros BIGINT NOT NULL
);
CREATE INDEX ringwall_puzzles_expires ON ringwall_puzzles (expires_micros);
