package webhook

import "time"

// Sign is the signature of one attempt, for the vector of the specification.
func Sign(s Secret, id string, at time.Time, body []byte) string { return s.sign(id, at, body) }
