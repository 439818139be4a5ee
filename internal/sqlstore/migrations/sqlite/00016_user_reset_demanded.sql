-- +goose Up
ALTER TABLE ringwall_users ADD COLUMN reset_demanded_micros BIGINT NOT NULL DEFAULT 0;
