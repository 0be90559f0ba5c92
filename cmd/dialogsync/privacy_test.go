package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
)

// persons are all names, numbers and addresses of those who own instances of the world.
func (r *rig) persons(t *testing.T) []string {
	t.Helper()
	seen := map[string]bool{}
	r.sim.Storage.Each(time.Now().UnixMicro(), func(item storage.Item) bool {
		party, _ := r.sim.Register.ByPartyID(item.Row.Party)
		for _, personal := range []string{party.Person, party.DisplayName, party.Email(), party.Username} {
			if personal != "" {
				seen[personal] = true
			}
		}
		return true
	})
	var all []string
	for personal := range seen {
		all = append(all, personal)
	}
	require.NotEmpty(t, all)
	return all
}

func assertNobody(t *testing.T, persons []string, text string) {
	t.Helper()
	for _, personal := range persons {
		if at := strings.Index(text, personal); at >= 0 {
			assert.Fail(t, "a person is told of", "%s", strings.ReplaceAll(text[max(0, at-200):min(len(text), at+100)], personal, "<PERSON>"))
		}
	}
}

func TestNoPersonInAnyOutput(t *testing.T) {
	t.Parallel()
	r := newWorld(t, missingParties, func(o *generateOptions) { o.Instances = 200 })
	persons := r.persons(t)
	worker := r.worker(t)
	r.environ = append(r.environ, "DIALOGSYNC_LOG_LEVEL=debug")
	loud := r.worker(t)
	require.Equal(t, "complete", r.walked(t, r.create(t, "--max-failure-share", "1")))
	require.Equal(t, "complete", r.walked(t, r.create2(t)))
	require.Positive(t, r.tables(t)["quarantine"])
	for _, args := range readCommands() {
		for _, form := range []string{"table", "wide", "json", "yaml"} {
			assertNobody(t, persons, r.run(t, append(args, "-o", form)...).both())
		}
	}
	for _, item := range r.instances(t, func(item storage.Item) bool { return item.Row.Version == 3 })[:20] {
		got := r.run(t, "item", "sync", item.Row.Key(), "--yes", "--reason", "x")
		assertNobody(t, persons, got.both())
		assertNobody(t, persons, r.run(t, "item", "sync", item.Row.Key(), "--dry-run").both())
	}
	assertNobody(t, persons, worker.err.String()+worker.out.String()+loud.err.String()+loud.out.String())
}

// TestAnswersThatNameAPersonAreNotRepeated has every service refuse with a body that tells of one.
func TestAnswersThatNameAPersonAreNotRepeated(t *testing.T) {
	t.Parallel()
	const number, name, address, title = "24917305605", "KRASS KOMPOSISJON", "krass.komposisjon@example.no", "Klage på skatt for Krass"
	persons := []string{number, name, address, title, "c2lnbmF0dXJl"}
	told := fmt.Sprintf("Party urn:altinn:person:identifier-no:%s (%s, %s) may not have %q; Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl",
		number, name, address, title)
	bodies := map[string]string{
		"application/problem+json": fmt.Sprintf(`{"type":"x","title":%q,"status":400,"detail":%q,"errors":{"dto.Party":[%q]}}`, name, told, told),
		"application/json":         fmt.Sprintf(`{"errors":{%q:["x"]}}`, name+" "+number),
		"text/html":                "<html>" + told,
	}
	for _, service := range []string{"dialogporten", "storage", "register"} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			r := newWorld(t, func(o *generateOptions) { o.Instances = 20 })
			key := r.one(t).Row.Key()
			for _, status := range []int{400, 403, 404, 410, 422, 500} {
				for kind, body := range bodies {
					require.NoError(t, r.sim.Faults.Set([]faults.Rule{{
						Service: service, Effect: faults.EffectStatus, Status: status, Body: body, ContentType: kind,
					}}))
					_, got := r.sync(t, key)
					assertNobody(t, persons, got.both())
					var kept string
					require.NoError(t, r.pool.QueryRow(t.Context(), "select coalesce(string_agg(q::text, ' '), '') from quarantine q").Scan(&kept))
					assertNobody(t, persons, kept)
					r.exec(t, "delete from quarantine")
				}
			}
		})
	}
}

// TestWhatIsTypedIsNotRepeatedWhenItNamesAPerson: a national identity number in the place of a key is a slip that happens.
func TestWhatIsTypedIsNotRepeatedWhenItNamesAPerson(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const number = "24917305605"
	for _, args := range [][]string{
		{"item", "sync", number},
		{"item", "sync", number + "/x", "--dry-run"},
		{"backfill", "create", "--source", "a3-app-instances", "--item", number, "--reason", "x", "--yes"},
		{"backfill", "show", number + "x"},
		{"backfill", "show", number},
		{"backfill", "create", "--source", number, "--reason", "x", "--yes"},
		{"coverage", "--source", number},
		{number},
		{"item", number},
		{"backfill", "create", "--source", "a3-app-instances", "--from", number, "--reason", "x"},
	} {
		got := r.run(t, args...)
		assert.NotEqual(t, exitOK, got.code, args)
		assert.NotContains(t, got.both(), number, args)
	}
}

func TestRequestsOfADryRunCarryNoCredentials(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	r.environ = append(r.environ, "DIALOGSYNC_SUBSCRIPTION_KEY="+secret)
	got := r.run(t, "item", "sync", r.one(t).Row.Key(), "--dry-run", "-o", "json")
	require.Equal(t, exitOK, got.code, got.err)
	assert.NotContains(t, got.both(), secret)
	assert.Contains(t, got.out, http.MethodPost)
}
