package generator_test

import (
	"encoding/json"
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

// edge is what is read of an instance to find out whether it is an edge case.
type edge struct {
	AppID         string `json:"appId"`
	InstanceOwner struct {
		Person       string `json:"personNumber"`
		Organisation string `json:"organisationNumber"`
		Username     string `json:"username"`
	} `json:"instanceOwner"`
	DueBefore    time.Time `json:"dueBefore"`
	VisibleAfter time.Time `json:"visibleAfter"`
	Status       struct {
		Archived bool   `json:"isArchived"`
		Soft     bool   `json:"isSoftDeleted"`
		Hard     bool   `json:"isHardDeleted"`
		Read     string `json:"readStatus"`
	} `json:"status"`
	Data []struct {
		Filename *string `json:"filename"`
		Type     string  `json:"dataType"`
		Size     int64   `json:"size"`
		Scan     string  `json:"fileScanResult"`
	} `json:"data"`
	Values      map[string]string `json:"dataValues"`
	Created     time.Time         `json:"created"`
	LastChanged time.Time         `json:"lastChanged"`
}

// Every edge case that the world is made for is there, in a world as production has it.
func TestEveryEdgeCaseOccurs(t *testing.T) {
	t.Parallel()
	m := generate(t, func(o *generator.Options) {
		*o = generator.Defaults()
		o.Instances, o.Orgs, o.SuppliedIDs = 20_000, 2, true
	})
	counts := map[string]int{}
	count := func(name string, is bool) {
		if is {
			counts[name]++
		}
	}
	times := map[int64]int{}
	people := world.Population{}
	for n, row := range m.rows {
		var in edge
		raw := m.write(n)
		require.NoError(t, json.Unmarshal(raw, &in), "%s", raw)
		times[row.LastChanged]++
		party, known := people.ByID(row.Party)
		require.True(t, known)
		count("party that Register does not know", world.IsMissing(row.Party))
		count("archived", in.Status.Archived)
		count("draft", !in.Status.Archived)
		count("soft-deleted", in.Status.Soft && !in.Status.Hard)
		count("hard-deleted", in.Status.Hard)
		count("unknown readStatus", in.Status.Read == "Uhoert")
		count("due in the future", in.DueBefore.After(now()))
		count("visible in the future", in.VisibleAfter.After(now()))
		count("changed before it was created", in.LastChanged.Before(in.Created))
		count("person", in.InstanceOwner.Person != "")
		count("organisation", in.InstanceOwner.Organisation != "")
		count("neither person nor organisation", in.InstanceOwner.Username != "")
		count("urn of a person", strings.HasPrefix(party.URN(), world.URNPerson))
		count("urn of an organisation", strings.HasPrefix(party.URN(), world.URNOrganisation))
		count("a1 app", row.Version == 1 && in.Values["A1ArchRef"] != "")
		count("a2 app", row.Version == 2 && in.Values["A2ArchRef"] != "")
		count("altinn 3 app", row.Version == 3)
		if id, err := uuid.Parse(in.Values[storage.DialogIDKey]); err == nil {
			count("dialog id of the app's own", id != storage.DialogID(row.GUID, row.Created) && id.Version() == 7)
		}
		for _, e := range in.Data {
			count("file without a name", e.Filename == nil || *e.Filename == "")
			count("file name of 300 characters", e.Filename != nil && len([]rune(*e.Filename)) >= 300)
			count("file of no bytes", e.Size == 0 && (e.Type == "vedlegg" || e.Type == "binary-data"))
			count("unknown fileScanResult", e.Scan == "Uhoert")
		}
	}
	for _, n := range times {
		count("tie", n > 1)
		count("tie of three and more", n > 2)
	}
	for name, least := range map[string]int{
		"tie": 1000, "tie of three and more": 100, "archived": 10_000, "draft": 1000, "soft-deleted": 200, "hard-deleted": 100,
		"party that Register does not know": 5, "unknown readStatus": 40, "unknown fileScanResult": 40, "file of no bytes": 20,
		"file without a name": 100, "file name of 300 characters": 20, "due in the future": 10, "visible in the future": 1,
		"changed before it was created": 10, "urn of a person": 3000, "urn of an organisation": 3000, "person": 3000, "organisation": 3000, "neither person nor organisation": 1,
		"a1 app": 500, "a2 app": 4000, "altinn 3 app": 8000, "dialog id of the app's own": 1000,
	} {
		assert.GreaterOrEqual(t, counts[name], least, name)
	}
	t.Log(counts)
}
