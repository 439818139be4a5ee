-- +goose Up
CREATE TABLE ringwall_devices (
	user_id BYTEA NOT NULL REFERENCES ringwall_users (id) ON DELETE CASCADE,
	id BYTEA NOT NULL CHECK (length(id) = 16),
	expires_micros BIGINT NOT NULL,
	PRIMARY KEY (user_id, id)
);
CREATE INDEX ringwall_devices_expires ON ringwall_devices (expires_micros);
