-- +goose Up
ALTER TABLE ringwall_users ADD COLUMN language TEXT NOT NULL DEFAULT '';
