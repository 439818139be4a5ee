package idempotency

// ParseKey is parseKey, for its fuzz target.
func ParseKey(lines ...string) (string, error) { return parseKey(lines) }
