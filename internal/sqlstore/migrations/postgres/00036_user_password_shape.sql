-- +goose Up
ALTER TABLE ringwall_users ADD COLUMN password_shape TEXT NOT NULL DEFAULT '';
