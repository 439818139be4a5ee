-- +goose Up
CREATE TABLE ringwall_alerts (
	id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
	kind TEXT NOT NULL,
	key TEXT NOT NULL,
	what TEXT NOT NULL,
	places TEXT NOT NULL,
	help TEXT NOT NULL,
	count BIGINT NOT NULL,
	opened_micros BIGINT NOT NULL,
	seen_micros BIGINT NOT NULL,
	closed_micros BIGINT NOT NULL
);
CREATE UNIQUE INDEX ringwall_alerts_open ON ringwall_alerts (kind, key) WHERE closed_micros = 0;
CREATE INDEX ringwall_alerts_opened ON ringwall_alerts (opened_micros, id);
