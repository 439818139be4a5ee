-- +goose Up
CREATE INDEX ringwall_users_password_shape ON ringwall_users (password_shape) WHERE password_shape <> '';
