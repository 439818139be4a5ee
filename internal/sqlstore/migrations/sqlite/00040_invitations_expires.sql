-- +goose Up
CREATE INDEX ringwall_invitations_expires ON ringwall_invitations (expires_micros);
