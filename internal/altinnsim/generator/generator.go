package generator

import (
	"fmt"
	"strconv"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/storage"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Generator makes a world up. It is an author of instances, and safe for concurrent use.
type Generator struct {
	options    Options
	host       string
	population world.Population
	orgs       []world.Organisation
	apps       []*app   // as storage.Row.Detail numbers them
	byOrg      [][]*app // Altinn 3 apps of each organisation
	a2, a1     [][]*app
}

// New makes a Generator. now is the end of its world unless the options tell another; host is the public host in links;
// number is how Storage numbers apps. The people of all generators are the same: they do not depend on the seed.
func New(options Options, now time.Time, host string, number func(appID string) uint16) (*Generator, error) {
	options, err := options.completed(now)
	if err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	g := &Generator{options: options, host: host, orgs: world.Organisations(options.Orgs)}
	if m := options.Monster; m != nil && !g.hasOrg(m.Org) {
		return nil, fmt.Errorf("generate: monster: no organisation %s among the first %d", m.Org, options.Orgs)
	}
	for i, org := range g.orgs {
		var a3, a2, a1 []*app
		for _, a := range apps(org, i, options.AppsPerOrg) {
			a.number, a.detail = number(a.id), uint16(len(g.apps)) //nolint:gosec // bounded by maxOrgs and maxAppsPerOrg
			g.apps = append(g.apps, a)
			switch a.version {
			case 1:
				a1 = append(a1, a)
			case 2:
				a2 = append(a2, a)
			default:
				a3 = append(a3, a)
			}
		}
		if n := len(a3); n > 0 {
			a3[n-1].supplied = options.SuppliedIDs
		}
		g.byOrg, g.a2, g.a1 = append(g.byOrg, a3), append(g.a2, a2), append(g.a1, a1)
	}
	return g, nil
}

func (g *Generator) hasOrg(code string) bool {
	for _, org := range g.orgs {
		if org.Code == code {
			return true
		}
	}
	return false
}

// Organisations are the service owners.
func (g *Generator) Organisations() []world.Organisation { return g.orgs }

// Resources are the entries of the resource registry, one for each app.
func (g *Generator) Resources() []world.Resource {
	out := make([]world.Resource, 0, len(g.apps))
	for _, a := range g.apps {
		out = append(out, a.resource())
	}
	return out
}

// Applications are the apps' metadata as Storage answers them.
func (g *Generator) Applications() [][]byte {
	out := make([][]byte, 0, len(g.apps))
	for _, a := range g.apps {
		out = append(out, a.application())
	}
	return out
}

// Texts are the apps' text resources; each names its app besides.
func (g *Generator) Texts() [][]byte {
	var out [][]byte
	for _, a := range g.apps {
		out = append(out, a.texts()...)
	}
	return out
}

// Rows makes the instances, oldest day first, and counts them in totals.
func (g *Generator) Rows(totals *Totals) func(yield func(storage.Row) bool) {
	totals.From, totals.To, totals.Applications = g.options.From, g.options.To, len(g.apps)
	totals.ByOrg, totals.ByVersion = map[string]int{}, map[string]int{}
	pool := g.options.pool()
	return func(yield func(storage.Row) bool) {
		g.cells(func(c cell) bool {
			roll := dice{world.NewDice(world.Mix(g.options.Seed<<20 ^ c.number))}
			m := maker{generator: g, cell: c, dice: &roll, pool: pool}
			for range c.count {
				row := m.row()
				if !yield(row) {
					return false
				}
				totals.count(row, g.orgs[c.org].Code)
			}
			return true
		})
	}
}

func (t *Totals) count(row storage.Row, org string) {
	t.Instances++
	t.ByOrg[org]++
	t.ByVersion[strconv.Itoa(int(row.Version))]++
	switch {
	case row.Flags.Has(storage.HardDeleted):
		t.HardDeleted++
	case row.Flags.Has(storage.SoftDeleted):
		t.SoftDeleted++
	}
	if world.IsMissing(row.Party) {
		t.MissingParties++
	}
}
