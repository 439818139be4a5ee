-- +goose Up
DROP INDEX ringwall_webhooks_next;
CREATE INDEX ringwall_webhooks_due ON ringwall_webhooks (target, next_micros, id) WHERE dead_micros = 0;
