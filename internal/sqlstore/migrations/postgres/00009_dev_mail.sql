-- +goose Up
CREATE TABLE ringwall_dev_mail (
	id BYTEA NOT NULL PRIMARY KEY CHECK (length(id) = 16),
	sealed BYTEA NOT NULL,
	created_micros BIGINT NOT NULL
);
CREATE INDEX ringwall_dev_mail_created ON ringwall_dev_mail (created_micros, id);
