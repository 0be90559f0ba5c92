package generator_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/generator"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

func now() time.Time { return time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC) }

// made is everything that a generator made.
type made struct {
	*generator.Generator

	rows   []storage.Row
	totals generator.Totals
}

func generate(t *testing.T, change func(*generator.Options)) made {
	t.Helper()
	options := generator.Defaults()
	options.Instances = 3000
	options.Days = 20
	options.HardDeleted, options.SoftDeleted, options.MissingParties = 0.05, 0.05, 0.05
	if change != nil {
		change(&options)
	}
	numbers := map[string]uint16{}
	g, err := generator.New(options, now(), "tt02.altinn.no", func(id string) uint16 {
		if n, ok := numbers[id]; ok {
			return n
		}
		numbers[id] = uint16(len(numbers))
		return numbers[id]
	})
	require.NoError(t, err)
	m := made{Generator: g}
	g.Rows(&m.totals)(func(row storage.Row) bool {
		m.rows = append(m.rows, row)
		return true
	})
	return m
}

func (m made) write(n int) []byte {
	return m.AppendInstance(nil, storage.View{Row: m.rows[n], ID: storage.RowID(n + 1), SelfLinks: true, Elements: true})
}

func TestSameSeedSameBytes(t *testing.T) {
	t.Parallel()
	a, b := generate(t, nil), generate(t, nil)
	other := generate(t, func(o *generator.Options) { o.Seed = 2 })
	require.Equal(t, a.rows, b.rows)
	require.Equal(t, a.totals, b.totals)
	assert.NotEqual(t, a.rows[0].GUID, other.rows[0].GUID)
	for n := range a.rows {
		require.Equal(t, string(a.write(n)), string(b.write(n)))
		require.Equal(t, a.Events(a.rows[n], 1), b.Events(b.rows[n], 1))
	}
	assert.Equal(t, a.Applications(), b.Applications())
	assert.Equal(t, a.Texts(), b.Texts())
}

func TestCountsAndShares(t *testing.T) {
	t.Parallel()
	m := generate(t, func(o *generator.Options) {
		o.A2, o.A1 = 0.3, 0.1
		o.Monster = &generator.Monster{Org: "nav", Day: now().AddDate(0, 0, -3), Count: 500}
	})
	assert.Len(t, m.rows, 3500)
	assert.Equal(t, 3500, m.totals.Instances)
	assert.InDelta(t, 0.3, float64(m.totals.ByVersion["2"])/3500, 0.04)
	assert.InDelta(t, 0.1, float64(m.totals.ByVersion["1"])/3500, 0.03)
	assert.InDelta(t, 0.05, float64(m.totals.SoftDeleted)/3500, 0.02)
	assert.InDelta(t, 0.05, float64(m.totals.HardDeleted)/3500, 0.02)
	assert.InDelta(t, 0.05, float64(m.totals.MissingParties)/3500, 0.02)
	assert.GreaterOrEqual(t, m.totals.ByOrg["nav"], 500)
	byDay := map[string]int{}
	tied := 0
	seen := map[int64]bool{}
	for _, row := range m.rows {
		assert.GreaterOrEqual(t, row.LastChanged, m.totals.From.UnixMicro())
		assert.Less(t, row.LastChanged, m.totals.To.UnixMicro())
		byDay[time.UnixMicro(row.LastChanged).UTC().Format(time.DateOnly)]++
		if seen[row.LastChanged] {
			tied++
		}
		seen[row.LastChanged] = true
	}
	assert.GreaterOrEqual(t, byDay["2026-03-07"], 500, "the monster's day")
	assert.Greater(t, tied, 300)
	assert.Less(t, byDay["2026-03-01"], byDay["2026-03-02"], "Sundays are quiet")
}

// instance is what is read of a generated instance.
type instance struct {
	ID            string `json:"id"`
	InstanceOwner struct {
		PartyID            string `json:"partyId"`
		PersonNumber       string `json:"personNumber"`
		OrganisationNumber string `json:"organisationNumber"`
		Username           string `json:"username"`
	} `json:"instanceOwner"`
	AppID     string `json:"appId"`
	Org       string `json:"org"`
	SelfLinks struct {
		Platform string `json:"platform"`
	} `json:"selfLinks"`
	Process *struct {
		Started     time.Time  `json:"started"`
		Ended       *time.Time `json:"ended"`
		CurrentTask *struct {
			ElementID      string `json:"elementId"`
			AltinnTaskType string `json:"altinnTaskType"`
		} `json:"currentTask"`
	} `json:"process"`
	Status struct {
		IsArchived    bool       `json:"isArchived"`
		Archived      *time.Time `json:"archived"`
		IsSoftDeleted bool       `json:"isSoftDeleted"`
		IsHardDeleted bool       `json:"isHardDeleted"`
		SoftDeleted   *time.Time `json:"softDeleted"`
	} `json:"status"`
	CompleteConfirmations []struct {
		ConfirmedOn time.Time `json:"confirmedOn"`
	} `json:"completeConfirmations"`
	Data []struct {
		ID              uuid.UUID `json:"id"`
		DataType        string    `json:"dataType"`
		Filename        string    `json:"filename"`
		BlobStoragePath string    `json:"blobStoragePath"`
		Created         time.Time `json:"created"`
		LastChanged     time.Time `json:"lastChanged"`
		LastChangedBy   string    `json:"lastChangedBy"`
		References      []struct {
			Value string `json:"value"`
		} `json:"references"`
		SelfLinks struct {
			Platform string `json:"platform"`
		} `json:"selfLinks"`
	} `json:"data"`
	PresentationTexts map[string]string `json:"presentationTexts"`
	DataValues        map[string]string `json:"dataValues"`
	Created           time.Time         `json:"created"`
	LastChanged       time.Time         `json:"lastChanged"`
	CreatedBy         string            `json:"createdBy"`
}

type event struct {
	ID         uuid.UUID  `json:"id"`
	InstanceID string     `json:"instanceId"`
	DataID     *uuid.UUID `json:"dataId"`
	Created    time.Time  `json:"created"`
	EventType  string     `json:"eventType"`
	User       *struct {
		UserID          int64  `json:"userId"`
		OrgID           string `json:"orgId"`
		EndUserSystemID int64  `json:"endUserSystemId"`
	} `json:"user"`
}

// Every instance is well-formed, and its parts and events tell one story.
func TestInstancesAreWellFormed(t *testing.T) {
	t.Parallel()
	m := generate(t, nil)
	people := world.Population{}
	ids := map[uuid.UUID]bool{}
	unique := func(id uuid.UUID) {
		require.False(t, ids[id], "ids must be unique in the whole world: %s", id)
		ids[id] = true
	}
	references := map[string]bool{}
	for n, row := range m.rows {
		raw := m.write(n)
		var in instance
		require.NoError(t, json.Unmarshal(raw, &in), string(raw))
		require.Equal(t, row.Key(), in.ID)
		require.Equal(t, in.Org, strings.Split(in.AppID, "/")[0])
		require.Equal(t, row.Created, in.Created.UnixMicro())
		require.Equal(t, row.LastChanged, in.LastChanged.UnixMicro())
		require.True(t, strings.HasSuffix(in.SelfLinks.Platform, in.ID))
		require.False(t, in.Created.After(now()))
		unique(row.GUID)

		party, ok := people.ByID(row.Party)
		require.True(t, ok)
		require.Equal(t, []string{party.Person, party.Organisation}, []string{in.InstanceOwner.PersonNumber, in.InstanceOwner.OrganisationNumber})

		last := time.Time{}
		for _, e := range in.Data {
			unique(e.ID)
			require.False(t, e.Created.Before(last), "elements by creation: %s", raw)
			require.False(t, e.LastChanged.After(now()))
			last = e.Created
			require.True(t, strings.HasSuffix(e.SelfLinks.Platform, "/data/"+e.ID.String()))
		}
		require.NotEmpty(t, in.Data)
		checkStatus(t, in, row)
		if row.Version == 3 {
			checkNative(t, in, row)
		} else {
			checkMigrated(t, in, row)
			reference := in.DataValues["A1ArchRef"] + in.DataValues["A2ArchRef"]
			require.False(t, references[reference])
			references[reference] = true
		}
		checkEvents(t, m, in, row, unique)
		checkFacts(t, m.Facts(row, storage.RowID(n+1)), in)

		// What a list shows without elements is the rest unchanged.
		var without instance
		require.NoError(t, json.Unmarshal(m.AppendInstance(nil, storage.View{Row: row, ID: storage.RowID(n + 1), SelfLinks: true}), &without))
		require.Empty(t, without.Data)
		in.Data = without.Data
		require.Equal(t, in, without)
	}
}

func checkStatus(t *testing.T, in instance, row storage.Row) {
	t.Helper()
	require.Equal(t, row.Flags.Has(storage.Archived), in.Status.IsArchived)
	require.Equal(t, row.Flags.Has(storage.SoftDeleted), in.Status.IsSoftDeleted)
	require.Equal(t, row.Flags.Has(storage.HardDeleted), in.Status.IsHardDeleted)
	require.Equal(t, in.Status.IsSoftDeleted, in.Status.SoftDeleted != nil)
	require.Equal(t, in.Status.IsArchived, in.Status.Archived != nil)
	require.Equal(t, row.Flags.Has(storage.Confirmed), len(in.CompleteConfirmations) == 1)
	if in.Status.IsHardDeleted {
		require.True(t, in.Status.IsSoftDeleted, "both flags")
	}
}

func checkNative(t *testing.T, in instance, row storage.Row) {
	t.Helper()
	require.NotNil(t, in.Process)
	require.Equal(t, in.Status.IsArchived, in.Process.Ended != nil)
	require.Equal(t, in.Status.IsArchived, in.Process.CurrentTask == nil)
	require.False(t, in.LastChanged.Before(in.Created))
	kinds := map[string]int{}
	for _, e := range in.Data {
		kinds[e.DataType]++
		require.False(t, e.Created.After(in.LastChanged), "nothing is newer than the instance")
	}
	require.Equal(t, 1, kinds["model"])
	require.Equal(t, in.Status.IsArchived, kinds["ref-data-as-pdf"] == 1, "a PDF for each submission")
	if in.Status.IsArchived && in.Status.SoftDeleted == nil && len(in.CompleteConfirmations) == 0 {
		require.Equal(t, row.LastChanged, in.Status.Archived.UnixMicro())
	}
}

func checkMigrated(t *testing.T, in instance, row storage.Row) {
	t.Helper()
	require.Nil(t, in.Process)
	require.True(t, in.Status.IsArchived)
	require.Zero(t, row.Created%1_000_000, "whole seconds")
	require.Zero(t, row.LastChanged%1_000_000, "whole seconds")
	key, marker := "A2ArchRef", "/a2-"
	if row.Version == 1 {
		key, marker = "A1ArchRef", "/a1-"
	}
	require.NotEmpty(t, in.DataValues[key])
	require.Contains(t, in.AppID, marker)
	if row.Deleted == 0 {
		require.True(t, slices.ContainsFunc(in.Data, func(e struct {
			ID              uuid.UUID `json:"id"`
			DataType        string    `json:"dataType"`
			Filename        string    `json:"filename"`
			BlobStoragePath string    `json:"blobStoragePath"`
			Created         time.Time `json:"created"`
			LastChanged     time.Time `json:"lastChanged"`
			LastChangedBy   string    `json:"lastChangedBy"`
			References      []struct {
				Value string `json:"value"`
			} `json:"references"`
			SelfLinks struct {
				Platform string `json:"platform"`
			} `json:"selfLinks"`
		},
		) bool {
			return e.LastChanged.Equal(in.LastChanged)
		}), "an element gave the instance its time")
	}
}

func checkEvents(t *testing.T, m made, in instance, row storage.Row, unique func(uuid.UUID)) {
	t.Helper()
	kinds := map[string]int{}
	for i, stored := range m.Events(row, 1) {
		var e event
		require.NoError(t, json.Unmarshal(stored.JSON, &e), string(stored.JSON))
		unique(e.ID)
		require.Equal(t, stored.ID, e.ID)
		require.Equal(t, stored.Type, e.EventType)
		require.NotNil(t, e.User, "whose actor cannot be told cannot be delivered")
		require.True(t, e.User.UserID != 0 || e.User.OrgID != "" || e.User.EndUserSystemID != 0)
		require.False(t, e.Created.Before(in.Created), "%s", stored.JSON)
		require.False(t, e.Created.After(now()))
		if e.User.UserID != 0 {
			_, ok := world.Population{}.ByUserID(e.User.UserID)
			require.True(t, ok)
		}
		if i == 0 {
			require.Equal(t, "Created", e.EventType)
			require.Nil(t, e.DataID)
			require.Equal(t, row.Flags.Has(storage.Prefilled), e.User.OrgID != "")
		}
		if row.Version < 3 {
			require.Equal(t, row.GUID.String(), e.InstanceID, "a bare guid")
		} else {
			require.Equal(t, in.ID, e.InstanceID)
		}
		kinds[e.EventType]++
	}
	require.Equal(t, in.Status.IsArchived, kinds["Submited"] == 1)
	require.Equal(t, in.Status.IsSoftDeleted, kinds["Deleted"] == 1)
	require.Equal(t, len(in.CompleteConfirmations), kinds["ConfirmedComplete"])
}

func checkFacts(t *testing.T, facts storage.Facts, in instance) {
	t.Helper()
	require.Len(t, facts.Confirmations, len(in.CompleteConfirmations))
	if in.Process != nil {
		require.Equal(t, in.Process.Ended != nil, facts.ProcessEnded != "")
		if in.Process.CurrentTask != nil {
			require.Equal(t, in.Process.CurrentTask.ElementID, facts.Task)
			require.Equal(t, in.Process.CurrentTask.AltinnTaskType, facts.TaskType)
		}
	}
	require.ElementsMatch(t, slices.Collect(maps.Values(in.PresentationTexts)), facts.PresentationTexts)
	values := map[string]string{}
	for _, v := range facts.Values {
		values[v.Key] = v.Value
	}
	if len(values) > 0 || len(in.DataValues) > 0 {
		require.Equal(t, in.DataValues, values)
	}
}

func TestEveryStateOccurs(t *testing.T) {
	t.Parallel()
	m := generate(t, nil)
	tasks, files := map[string]bool{}, map[string]bool{}
	var substatus, letter, older bool
	for n := range m.rows {
		raw := m.write(n)
		var in instance
		require.NoError(t, json.Unmarshal(raw, &in))
		if in.Process != nil && in.Process.CurrentTask != nil {
			tasks[in.Process.CurrentTask.AltinnTaskType] = true
		}
		for _, e := range in.Data {
			files[e.Filename] = true
			letter = letter || e.DataType == "vedtak" && len(e.LastChangedBy) == 9
		}
		substatus = substatus || strings.Contains(string(raw), `"substatus"`)
		older = older || in.LastChanged.Before(in.Created)
	}
	assert.ElementsMatch(t, []string{"data", "signing", "payment", "confirmation", "feedback", "reject"}, slices.Collect(maps.Keys(tasks)))
	assert.True(t, substatus)
	assert.True(t, letter, "something by the service owner")
	assert.True(t, older, "forms that were changed before they were created")
	assert.True(t, files[""] && files["uten-endelse"], "odd file names")
}

func TestResourcesFollowFromApps(t *testing.T) {
	t.Parallel()
	m := generate(t, nil)
	resources := map[string]world.Resource{}
	for _, r := range m.Resources() {
		resources[r.ID] = r
	}
	for n := range m.rows {
		var in instance
		require.NoError(t, json.Unmarshal(m.write(n), &in))
		r, ok := resources["app_"+strings.ReplaceAll(in.AppID, "/", "_")]
		require.True(t, ok, in.AppID)
		require.Equal(t, in.Org, r.Org)
	}
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []generator.Options{
		{Instances: -1},
		{A1: 0.6, A2: 0.6},
		{Ties: 2},
		{From: now(), To: now()},
		{Orgs: 1000},
		{Monster: &generator.Monster{Org: "nobody", Day: now(), Count: 1}},
		{Monster: &generator.Monster{Org: "skd"}},
	} {
		_, err := generator.New(o, now(), "x", func(string) uint16 { return 0 })
		assert.Error(t, err, "%+v", o)
	}
}
