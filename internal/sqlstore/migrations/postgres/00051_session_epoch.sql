-- +goose Up

-- A session lives in the epoch in which it began. One statement that begins another epoch ends those of everybody at once.
CREATE TABLE ringwall_session_epoch (
	one BOOLEAN NOT NULL PRIMARY KEY CHECK (one),
	epoch BIGINT NOT NULL
);
INSERT INTO ringwall_session_epoch (one, epoch) VALUES (TRUE, 0);
ALTER TABLE ringwall_sessions ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;
CREATE INDEX ringwall_sessions_epoch ON ringwall_sessions (epoch);
