-- +goose Up
CREATE INDEX ringwall_users_delete ON ringwall_users (delete_micros) WHERE delete_micros > 0;
