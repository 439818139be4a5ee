-- +goose Up
ALTER TABLE ringwall_users ADD COLUMN delete_micros BIGINT NOT NULL DEFAULT 0;
