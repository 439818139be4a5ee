-- +goose Up
CREATE TABLE ringwall_user_metadata (
	user_id BLOB NOT NULL PRIMARY KEY REFERENCES ringwall_users (id) ON DELETE CASCADE,
	public_sealed BLOB NOT NULL,
	private_sealed BLOB NOT NULL,
	own_sealed BLOB NOT NULL
);
