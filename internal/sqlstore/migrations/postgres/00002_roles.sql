-- +goose Up
CREATE TABLE ringwall_roles (
	user_id BYTEA NOT NULL REFERENCES ringwall_users (id) ON DELETE CASCADE,
	role TEXT NOT NULL CHECK (role <> '' AND role NOT LIKE '%,%'),
	PRIMARY KEY (user_id, role)
);
