-- +goose Up
CREATE TABLE ringwall_webhooks (
	id BYTEA NOT NULL PRIMARY KEY CHECK (length(id) = 16),
	target TEXT NOT NULL,
	sealed BYTEA NOT NULL,
	attempts BIGINT NOT NULL,
	next_micros BIGINT NOT NULL,
	created_micros BIGINT NOT NULL,
	dead_micros BIGINT NOT NULL,
	reason TEXT NOT NULL
);
CREATE INDEX ringwall_webhooks_next ON ringwall_webhooks (next_micros, id) WHERE dead_micros = 0;
CREATE INDEX ringwall_webhooks_dead ON ringwall_webhooks (dead_micros, id) WHERE dead_micros > 0;
