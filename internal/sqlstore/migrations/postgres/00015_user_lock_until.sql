-- +goose Up
ALTER TABLE ringwall_users ADD COLUMN lock_until_micros BIGINT NOT NULL DEFAULT 0;
