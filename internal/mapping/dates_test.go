package mapping_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

func TestDueAndVisible(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare    func(*mapping.Input)
		past, kept bool
	}{
		"past":                  {func(*mapping.Input) {}, true, false},
		"future":                {func(*mapping.Input) {}, false, true},
		"past in a migration":   {func(in *mapping.Input) { in.Migration = true }, true, true},
		"past, to be deleted":   {func(in *mapping.Input) { in.DeleteAfterCreate = true }, true, true},
		"future in a migration": {func(in *mapping.Input) { in.Migration = true }, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := draft(t)
			c.prepare(&in)
			date := altinn.TimeOf(in.Now.Add(days(1)))
			if c.past {
				date = altinn.TimeOf(in.Now) // now itself is not after now
			}
			in.Instance.DueBefore, in.Instance.VisibleAfter = &date, &date
			body := mustCreate(t, in).Body
			want := dialogporten.Time{}
			if c.kept {
				want = dialogporten.TimeOf(date.Time)
			}
			assert.Equal(t, want, body.DueAt)
			assert.Equal(t, want, body.VisibleFrom)
		})
	}
}

func TestCreatedAndUpdated(t *testing.T) {
	t.Parallel()
	in := draft(t)
	assert.Equal(t, "2025-06-18T08:54:53.6233769Z", mustCreate(t, in).Body.CreatedAt.String())
	for name, c := range map[string]struct {
		changed *altinn.Time
		want    string
	}{
		"later":         {new(at(t, "2025-06-18T09:10:00Z")), "2025-06-18T09:10:00Z"},
		"earlier":       {new(at(t, "2025-06-18T08:00:00Z")), "2025-06-18T08:54:53.6233769Z"},
		"missing":       {nil, "2025-06-18T08:54:53.6233769Z"},
		"in the future": {new(at(t, "2027-01-01T00:00:00Z")), "2026-06-12T10:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := draft(t)
			in.Instance.LastChanged = c.changed
			assert.Equal(t, c.want, mustCreate(t, in).Body.UpdatedAt.String())
		})
	}
}

func TestSystemLabel(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		archived, migration, forced bool
		want                        dialogporten.SystemLabel
	}{
		"live":              {true, false, false, dialogporten.SystemLabelDefault},
		"history":           {true, true, false, dialogporten.SystemLabelArchive},
		"to be deleted":     {true, false, true, dialogporten.SystemLabelArchive},
		"history, not done": {false, true, false, dialogporten.SystemLabelDefault},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := draft(t)
			in.Instance.Status.IsArchived = c.archived
			in.Migration, in.DeleteAfterCreate = c.migration, c.forced
			assert.Equal(t, c.want, mustCreate(t, in).Body.SystemLabel)
			assert.Equal(t, c.migration || c.forced, in.MigrationOrForced())
		})
	}
}

func TestServiceResourceAndLabel(t *testing.T) {
	t.Parallel()
	in := draft(t)
	in.Instance.AppID = "skd/a1-213-2638:1"
	body := mustCreate(t, in).Body
	assert.Equal(t, "urn:altinn:resource:app_skd_a1-213-2638:1", body.ServiceResource)
	assert.Equal(t, "urn:altinn:integration:storage:50001337/"+testGUID, body.ServiceOwnerContext.ServiceOwnerLabels[0].Value)
}

func TestAPIOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hide altinn.HideSettings
		want bool
	}{
		"never":        {altinn.HideSettings{}, false},
		"always":       {altinn.HideSettings{HideAlways: true}, true},
		"in this task": {altinn.HideSettings{HideOnTask: []string{"", "Task_1"}}, true},
		"in another":   {altinn.HideSettings{HideOnTask: []string{"", "task_1"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := draft(t)
			in.Application.MessageBoxConfig = &altinn.MessageBoxConfig{HideSettings: &c.hide}
			assert.Equal(t, c.want, mustCreate(t, in).Body.IsAPIOnly)
		})
	}
}
