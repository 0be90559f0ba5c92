package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
)

// preview is what `backfill create` tells of an order.
type preview struct {
	ID             int64
	Newest, Oldest string
	Orgs           []string
	Items, Windows int
}

//nolint:tparallel // each order is held to the rows that it found
func TestRefusedOrdersCreateNothing(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	r.create(t, "--org", "nav")
	day := func(days int) string { return time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly) }
	const key = "50001337/6f3da581-76f9-412c-ba01-44e375b5bc79"
	dated := func(newest, oldest string, more ...string) []string {
		return append([]string{
			"backfill", "create", "--source", "a3-app-instances", "--from", newest, "--to", oldest, "--reason", "phase 1", "--yes",
		}, more...)
	}
	items := func(more ...string) []string {
		return append([]string{"backfill", "create", "--source", "a3-app-instances", "--reason", "phase 1", "--yes"}, more...)
	}
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"unknown organisation":           {order("--org", "skd", "--org", "skx"), exitUsage, "unknown organisation skx"},
		"organisation in capitals":       {order("--org", "SKD"), exitUsage, "unknown organisation SKD"},
		"from older than to":             {dated(oldestDay, newestDay), exitUsage, "--from"},
		"overlap with a running one":     {order(), exitConflict, "backfill 1 (running)"},
		"overlap by a day":               {dated(oldestDay, "2025-02-01"), exitConflict, "backfill 1 (running)"},
		"overlap in one organisation":    {order("--org", "skd", "--org", "nav"), exitConflict, "backfill 1 (running)"},
		"malformed key":                  {items("--item", "50001337/not-a-guid"), exitUsage, "--item number 1"},
		"second key malformed":           {items("--item", key, "--item", "-"+key), exitUsage, "--item number 2"},
		"key of nobody":                  {items("--item", "0/"+key[9:]), exitUsage, "--item number 1"},
		"items and a range":              {order("--item", key), exitUsage, "--item"},
		"items and an organisation":      {items("--item", key, "--org", "skd"), exitUsage, "--item"},
		"neither range nor items":        {items(), exitUsage, "--from"},
		"only the newest day":            {items("--from", newestDay), exitUsage, "--to"},
		"only the oldest day":            {items("--to", oldestDay), exitUsage, "--from"},
		"no day":                         {dated("2025-02-30", oldestDay), exitUsage, "2025-02-30"},
		"a day in words":                 {dated("yesterday", oldestDay), exitUsage, "yesterday"},
		"future range":                   {dated(day(9), day(2)), exitUsage, "live sync"},
		"rate 0":                         {order("--org", "skd", "--rate", "0"), exitUsage, "--rate"},
		"negative rate":                  {order("--org", "skd", "--rate=-1"), exitUsage, "--rate"},
		"rate that is no number":         {order("--org", "skd", "--rate", "NaN"), exitUsage, "--rate"},
		"no windows at once":             {order("--org", "skd", "--parallel", "0"), exitUsage, "--parallel"},
		"too many windows at once":       {order("--org", "skd", "--parallel", "1001"), exitUsage, "--parallel"},
		"more windows than a number":     {order("--org", "skd", "--parallel", "4294967297"), exitUsage, "--parallel"},
		"failure share 0":                {order("--org", "skd", "--max-failure-share", "0"), exitUsage, "--max-failure-share"},
		"failure share above all":        {order("--org", "skd", "--max-failure-share", "1.1"), exitUsage, "--max-failure-share"},
		"failure share that is none":     {order("--org", "skd", "--max-failure-share", "NaN"), exitUsage, "--max-failure-share"},
		"source without history here":    {[]string{"backfill", "create", "--source", "a3-correspondence", "--from", newestDay, "--to", oldestDay, "--reason", "x", "--yes"}, exitUsage, "a3-correspondence"},
		"unknown source":                 {[]string{"backfill", "create", "--source", "a4", "--from", newestDay, "--to", oldestDay, "--reason", "x", "--yes"}, exitUsage, "a4"},
		"no reason":                      {[]string{"backfill", "create", "--source", "a3-app-instances", "--from", newestDay, "--to", oldestDay, "--org", "skd", "--yes"}, exitUsage, "--reason"},
		"blank reason":                   {[]string{"backfill", "create", "--source", "a3-app-instances", "--from", newestDay, "--to", oldestDay, "--org", "skd", "--yes", "--reason", " "}, exitUsage, "--reason"},
		"nobody to ask":                  {[]string{"backfill", "create", "--source", "a3-app-instances", "--from", newestDay, "--to", oldestDay, "--org", "skd", "--reason", "x"}, exitUsage, "--yes"},
		"dry run of what overlaps":       {order("--dry-run"), exitConflict, "backfill 1 (running)"},
		"dry run of an unknown org":      {order("--dry-run", "--org", "skx"), exitUsage, "skx"},
		"dry run of nothing there to do": {dated(day(9), day(2), "--dry-run"), exitUsage, "live sync"},
	} {
		t.Run(name, func(t *testing.T) {
			before := r.tables(t)
			got := r.run(t, test.args...)
			assert.Equal(t, test.code, got.code, got.both())
			assert.Empty(t, got.out)
			require.Len(t, lines(got.err), 1, got.err)
			assert.Contains(t, got.err, test.says)
			assert.Equal(t, before, r.tables(t))
		})
	}
}

func TestOrderIsRefusedWhenOrganisationsCannotBeListed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	before := r.tables(t)
	got := r.run(t, order()...)
	assert.Equal(t, exitUsage, got.code)
	assert.Contains(t, got.err, "application list is empty")

	r.generate(t)
	require.NoError(t, r.sim.Faults.Set([]faults.Rule{{Service: "storage", Effect: faults.EffectStatus, Status: 404}}))
	got = r.run(t, order()...)
	assert.Equal(t, exitError, got.code)
	assert.Contains(t, got.err, "list organisations")
	assert.Equal(t, before, r.tables(t))
}

func TestDryRunOfAnOrder(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	before := r.tables(t)
	var would preview
	r.readJSON(t, &would, order("--dry-run")...)
	assert.Equal(t, before, r.tables(t))
	assert.Equal(t, 2*3, would.Windows, "two organisations, three days")
	assert.Equal(t, []string{"nav", "skd"}, would.Orgs)
	assert.Equal(t, newestDay, would.Newest, "the newest day as it was ordered")
	assert.Equal(t, oldestDay, would.Oldest)

	text := r.ok(t, order("--dry-run")...)
	assert.Contains(t, text, "Would create")
	assert.Contains(t, text, "from "+newestDay+" back to "+oldestDay)
	assert.Contains(t, text, "6 windows")
	assert.Equal(t, before, r.tables(t))

	var made preview
	r.readJSON(t, &made, order()...)
	assert.Positive(t, made.ID)
	made.ID = 0
	assert.Equal(t, would, made, "a dry run tells what the order then makes")
	after := r.tables(t)
	assert.Equal(t, 1, after["backfill"])
	assert.Equal(t, would.Windows, after["backfill_window"])
	assert.Equal(t, 4, after["river_job"], "as many slices as windows at once")
	assert.Equal(t, []string{"kari: backfill create backfill 1: phase 1"}, r.actions(t))
}

func TestDryRunNeedsNoReason(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	got := r.run(t, "backfill", "create", "--source", "a3-app-instances", "--from", newestDay, "--to", oldestDay, "--dry-run")
	assert.Equal(t, exitOK, got.code, got.err)
}

func TestOrdersThatDoNotOverlap(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	r.create(t, "--org", "skd")
	r.create(t, "--org", "nav")
	r.ok(t, "backfill", "create", "--source", "a2-archived-forms", "--from", newestDay, "--to", oldestDay, "--reason", "other source", "--yes")
	r.ok(t, "backfill", "create", "--source", "a3-app-instances", "--from", "2025-02-28", "--to", "2025-02-01", "--reason", "the days before", "--yes")
	r.ok(t, "backfill", "create", "--source", "a3-app-instances", "--from", "2025-03-04", "--to", "2025-03-04", "--reason", "the day after", "--yes")
	key := r.one(t).Row.Key()
	r.ok(t, "backfill", "create", "--source", "a3-app-instances", "--item", key, "--item", strings.ToUpper(key), "--reason", "one item", "--yes")
	assert.Equal(t, 6, r.tables(t)["backfill"])

	assert.Equal(t, exitConflict, r.run(t, order()...).code)
	r.ok(t, "backfill", "cancel", "1", "--reason", "make room", "--yes")
	r.create(t, "--org", "skd")
}

func TestOrderUpToNowEndsBeforeWhatIsStillArriving(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	today := time.Now().UTC()
	r.ok(t, "backfill", "create", "--source", "a3-app-instances", "--from", today.AddDate(0, 0, 3).Format(time.DateOnly),
		"--to", today.AddDate(0, 0, -1).Format(time.DateOnly), "--reason", "until now", "--yes")
	var newest time.Time
	require.NoError(t, r.pool.QueryRow(t.Context(), "select newest from backfill").Scan(&newest))
	assert.True(t, newest.Before(time.Now().Add(-9*time.Minute)), newest)
	assert.True(t, newest.After(time.Now().Add(-time.Hour)), newest)
}

func TestOrdersAtOnceCannotOverlap(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	var orders []*background
	for range 6 {
		orders = append(orders, r.start(t, order()...))
	}
	var codes []int
	for _, o := range orders {
		codes = append(codes, o.ended(t))
	}
	slices.Sort(codes)
	assert.Equal(t, []int{exitOK, exitConflict, exitConflict, exitConflict, exitConflict, exitConflict}, codes)
	assert.Equal(t, 1, r.tables(t)["backfill"])
}

func TestRepeatedItemsAndOrganisationsCountOnce(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	key := r.one(t).Row.Key()
	var made preview
	r.readJSON(t, &made, "backfill", "create", "--source", "a3-app-instances", "--item", key+","+key, "--item", strings.ToUpper(key),
		"--reason", "citizen asked", "--yes")
	assert.Equal(t, 1, made.Items)
	assert.Equal(t, 1, made.Windows)
	r.readJSON(t, &made, order("--org", "skd", "--org", "skd,skd")...)
	assert.Equal(t, []string{"skd"}, made.Orgs)
	assert.Equal(t, 3, made.Windows)
}

func TestOperatorAndReasonAreKept(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	r.ok(t, append(order("--org", "skd"), "--operator", "ola")...)
	r.ok(t, "backfill", "pause", "1", "--reason", "night", "--yes")
	r.ok(t, "backfill", "resume", "1", "--reason", "morning", "--yes", "--operator", "per")
	r.ok(t, "backfill", "cancel", "1", "--reason", "enough", "--yes")
	assert.Equal(t, []string{
		"ola: backfill create backfill 1: phase 1", "kari: backfill pause backfill 1: night", "per: backfill resume backfill 1: morning",
		"kari: backfill cancel backfill 1: enough",
	}, r.actions(t))
}
