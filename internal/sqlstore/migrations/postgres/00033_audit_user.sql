-- +goose Up
CREATE INDEX ringwall_audit_user ON ringwall_audit (user_id, seq);
