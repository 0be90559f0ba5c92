package batch

import (
	"maps"

	"github.com/altinn/dialogsync/internal/ledger"
)

// Accounts are what a walk saw and what became of it, in distinct items.
type Accounts struct {
	Seen        int64            `json:"seen"`
	Created     int64            `json:"created"`
	Updated     int64            `json:"updated"`
	Unchanged   int64            `json:"unchanged"`
	Deleted     int64            `json:"deleted"`
	Purged      int64            `json:"purged"`
	Restored    int64            `json:"restored"`
	Skipped     int64            `json:"skipped"`
	Quarantined int64            `json:"quarantined"`
	SkippedBy   map[string]int64 `json:"skippedByReason,omitempty"`
}

// Add books one item. Seen is counted apart, from the listing: were it counted here, the accounts would always balance.
func (a *Accounts) Add(outcome ledger.Outcome, reason string) {
	switch outcome {
	case ledger.Created:
		a.Created++
	case ledger.Updated:
		a.Updated++
	case ledger.Unchanged:
		a.Unchanged++
	case ledger.Deleted:
		a.Deleted++
	case ledger.Purged:
		a.Purged++
	case ledger.Restored:
		a.Restored++
	case ledger.Skipped:
		a.Skipped++
		if a.SkippedBy == nil {
			a.SkippedBy = map[string]int64{}
		}
		a.SkippedBy[reason]++
	case ledger.Failed:
		a.Quarantined++
	}
}

// Settled is the number of items that have an outcome, those in quarantine included.
func (a Accounts) Settled() int64 {
	return a.Created + a.Updated + a.Unchanged + a.Deleted + a.Purged + a.Restored + a.Skipped + a.Quarantined
}

// Balanced tells whether everything seen is accounted for (Invariant 6).
func (a Accounts) Balanced() bool {
	var byReason int64
	for n := range maps.Values(a.SkippedBy) {
		byReason += n
	}
	return a.Seen == a.Settled() && (a.SkippedBy == nil || a.Skipped == byReason)
}

// Merge adds other to the accounts.
func (a *Accounts) Merge(other Accounts) {
	a.Seen += other.Seen
	a.Created += other.Created
	a.Updated += other.Updated
	a.Unchanged += other.Unchanged
	a.Deleted += other.Deleted
	a.Purged += other.Purged
	a.Restored += other.Restored
	a.Skipped += other.Skipped
	a.Quarantined += other.Quarantined
	for reason, n := range other.SkippedBy {
		if a.SkippedBy == nil {
			a.SkippedBy = map[string]int64{}
		}
		a.SkippedBy[reason] += n
	}
}
