-- +goose Up
CREATE TABLE ringwall_ceiling (
	minute BIGINT NOT NULL PRIMARY KEY,
	strangers BIGINT NOT NULL,
	known BIGINT NOT NULL,
	wanted BIGINT NOT NULL,
	capacity BIGINT NOT NULL,
	granted BIGINT NOT NULL,
	hot BOOLEAN NOT NULL,
	heated BOOLEAN NOT NULL
);
