-- +goose Up
CREATE TABLE ringwall_outbox (
	id BYTEA NOT NULL PRIMARY KEY CHECK (length(id) = 16),
	sealed BYTEA NOT NULL,
	attempts BIGINT NOT NULL,
	next_micros BIGINT NOT NULL,
	created_micros BIGINT NOT NULL
);
CREATE INDEX ringwall_outbox_next ON ringwall_outbox (next_micros, id);
