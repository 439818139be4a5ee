package audit

import (
	"fmt"
	"time"
)

// Kind is what is wrong.
type Kind string

// The kinds of findings.
const (
	Changed       Kind = "row_changed"       // a seal knows it, and it was different then
	Removed       Kind = "row_removed"       // a seal knows it, and it is gone
	Inserted      Kind = "row_inserted"      // lies before the last seal, and no seal knows it
	Forged        Kind = "row_forged"        // no server with the keys wrote it as it stands
	Unsealed      Kind = "row_unsealed"      // waits for a seal for more than five minutes
	SealBroken    Kind = "seal_broken"       // changed, or made with other keys
	SealMissing   Kind = "seal_missing"      // a gap in the numbers
	SealUnchained Kind = "seal_unchained"    // does not follow from the seal before it
	HeadMissing   Kind = "known_head_absent" // the chain does not contain the head that was given: its end was cut or replaced
)

// Finding is one thing that is wrong.
type Finding struct {
	Kind       Kind   `json:"kind"`
	Seq        int64  `json:"seq,omitempty"`         // of a row
	Event      string `json:"event,omitempty"`       // of a row that is there: its id and name, as they stand
	Seal       int64  `json:"seal,omitempty"`        // of a seal: its N, or the first of a gap
	LastSeal   int64  `json:"last_seal,omitempty"`   // the last of a gap
	TimeMicros int64  `json:"time_micros,omitempty"` // of a row that is there, as it stands
	Detail     string `json:"detail"`
}

// String is the finding as a sentence.
func (f Finding) String() string {
	var what string
	switch {
	case f.Kind == SealMissing && f.LastSeal > f.Seal:
		what = fmt.Sprintf("seals %d to %d", f.Seal, f.LastSeal)
	case f.Seal != 0:
		what = fmt.Sprintf("seal %d", f.Seal)
	case f.Event != "":
		what = fmt.Sprintf("row %d (%s, %s)", f.Seq, f.Event, time.UnixMicro(f.TimeMicros).UTC().Format(time.RFC3339))
	default:
		what = fmt.Sprintf("row %d", f.Seq)
	}
	return what + ": " + f.Detail
}

// maxFindings is how many findings a Report holds.
const maxFindings = 1000

// Report is what [Verify] found.
type Report struct {
	Rows     int64          `json:"rows"`
	Seals    int64          `json:"seals"`
	Fresh    int64          `json:"fresh"`    // rows that wait for their seal, not longer than they may
	Head     Head           `json:"head"`     // the end of the chain as it stands
	Findings []Finding      `json:"findings"` // the first 1,000; all of them go to VerifyOptions.Each
	Counts   map[Kind]int64 `json:"counts"`   // all of them, by kind
}

// OK reports that nothing is wrong.
func (r Report) OK() bool { return len(r.Counts) == 0 }
