package mapping

import (
	"time"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// clockTolerance is how far in the future Dialogporten accepts createdAt and updatedAt.
const clockTolerance = 15 * time.Second

func dialogTime(t altinn.Time) dialogporten.Time { return dialogporten.TimeOf(t.Time) }

// updatedAt is the later of the instance's two times: migrated instances can be changed before they were created.
// A last change in the future, which Dialogporten would refuse, is taken for now (invariant 10).
func (s *subject) updatedAt() dialogporten.Time {
	created := dialogTime(*s.Instance.Created)
	if s.Instance.LastChanged == nil {
		return created
	}
	changed := dialogTime(*s.Instance.LastChanged)
	if changed.After(s.Now.Add(clockTolerance)) {
		changed = dialogporten.TimeOf(s.Now)
	}
	if changed.Before(created.Time) {
		return created
	}
	return changed
}

// visibleFrom and dueAt are absent when past, except in a migration.
func (s *subject) visibleFrom() dialogporten.Time { return s.futureOrMigrated(s.Instance.VisibleAfter) }

func (s *subject) dueAt() dialogporten.Time { return s.futureOrMigrated(s.Instance.DueBefore) }

func (s *subject) futureOrMigrated(t *altinn.Time) dialogporten.Time {
	if t == nil || (!t.After(s.Now) && !s.MigrationOrForced()) {
		return dialogporten.Time{}
	}
	return dialogTime(*t)
}
