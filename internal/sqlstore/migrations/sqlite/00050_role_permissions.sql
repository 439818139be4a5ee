-- +goose Up
CREATE TABLE ringwall_role_permissions (
	role TEXT NOT NULL CHECK (role <> '' AND role NOT LIKE '%,%'),
	permission TEXT NOT NULL CHECK (permission <> '' AND permission NOT LIKE '%,%'),
	PRIMARY KEY (role, permission)
);
