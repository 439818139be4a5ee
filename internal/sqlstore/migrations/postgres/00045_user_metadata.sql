-- +goose Up
CREATE TABLE ringwall_user_metadata (
	user_id BYTEA NOT NULL PRIMARY KEY REFERENCES ringwall_users (id) ON DELETE CASCADE,
	public_sealed BYTEA NOT NULL,
	private_sealed BYTEA NOT NULL,
	own_sealed BYTEA NOT NULL
);
