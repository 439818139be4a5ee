-- +goose Up
CREATE TABLE ringwall_facts (
	name TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
);
