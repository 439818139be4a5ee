package lifecycle

import "github.com/ringwall/ringwall/internal/audit"

// Rule is a decision, for the test that demands one for every event.
type Rule struct {
	Name               audit.Name
	Reason, Kind, Ends string
}

// Rules are the decisions, in order.
func Rules() (list []Rule) {
	for _, r := range rules {
		list = append(list, Rule{r.name, r.reason, r.kind, r.ends})
	}
	return list
}

// AnyReason is the reason of a rule that fits every one.
const AnyReason = anyReason
