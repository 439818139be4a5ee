-- +goose Up

-- A row of the audit log is numbered by its transaction, so that a reader can tell which rows may still appear before it.
-- Numbers of transactions begin again in a cluster to which the database was restored: shift, which only the owner
-- writes (ringwall migrate up), keeps them rising.
CREATE TABLE ringwall_audit_shift (
	one BOOLEAN NOT NULL PRIMARY KEY CHECK (one),
	shift BIGINT NOT NULL
);
INSERT INTO ringwall_audit_shift (one, shift) VALUES (TRUE, 0);

-- +goose StatementBegin
CREATE FUNCTION ringwall_tx() RETURNS BIGINT LANGUAGE sql STABLE AS $$
	SELECT pg_current_xact_id()::text::bigint + (SELECT shift FROM ringwall_audit_shift)
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION ringwall_oldest_tx() RETURNS BIGINT LANGUAGE sql STABLE AS $$
	SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + (SELECT shift FROM ringwall_audit_shift)
$$;
-- +goose StatementEnd

CREATE TABLE ringwall_audit (
	seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	tx BIGINT NOT NULL DEFAULT ringwall_tx(),
	id BYTEA NOT NULL UNIQUE CHECK (length(id) = 16),
	time_micros BIGINT NOT NULL,
	name TEXT NOT NULL,
	actor_kind TEXT NOT NULL,
	actor_name TEXT NOT NULL,
	actor_user BYTEA,
	user_id BYTEA,
	session_id BYTEA,
	request_id TEXT NOT NULL,
	route TEXT NOT NULL,
	reason TEXT NOT NULL,
	count BIGINT NOT NULL,
	personal BYTEA,
	mark BYTEA NOT NULL
);
CREATE INDEX ringwall_audit_tx ON ringwall_audit (tx, seq);
