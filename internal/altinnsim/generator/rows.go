package generator

import (
	"encoding/binary"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/storage"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Stages of an instance's life, as storage.Row.Stage has them.
const (
	stageDraft       uint8 = iota // filling in for the first time
	stageNext                     // in the task after filling in: signing, payment, confirmation, feedback
	stageAdditional               // filling in again after feedback
	stageRejected                 // in a task of type reject
	stageUnconfirmed              // archived, the service owner has not confirmed
	stageConfirmed                // archived and confirmed
	stageSubstatus                // and the service owner has set a substatus
	stageMigrated                 // an archived form of Altinn 1 or 2
)

// Microseconds.
const (
	millisecond int64 = 1000
	second            = 1000 * millisecond
	minute            = 60 * second
	hour              = 60 * minute
	dayMicros         = 24 * hour
)

// maker makes the rows of a cell.
type maker struct {
	generator *Generator
	cell      cell
	dice      *dice
	pool      uint64 // how many different parties own instances

	last         int64 // last-changed time of the Altinn 3 instance made last, 0 at first
	lastMigrated int64
}

func (m *maker) row() storage.Row {
	o := &m.generator.options
	row := storage.Row{GUID: m.guid()}
	row.Party = m.party()
	switch kind := m.dice.Unit(); {
	case kind < o.A1:
		m.migrated(&row, m.generator.a1[m.cell.org])
	case kind < o.A1+o.A2:
		m.migrated(&row, m.generator.a2[m.cell.org])
	default:
		m.native(&row)
	}
	return row
}

// Shares of the kinds of owners.
const (
	shareCompanies      = 0.45
	shareSelfIdentified = 0.02
)

func (m *maker) party() int32 {
	people := m.generator.population
	n := m.dice.Next() % m.pool
	if m.dice.Chance(m.generator.options.MissingParties) {
		return people.Missing(n)
	}
	switch kind := m.dice.Unit(); {
	case kind < shareSelfIdentified:
		return people.SelfIdentified(n)
	case kind < shareSelfIdentified+shareCompanies:
		return people.Company(n)
	}
	return people.Person(n)
}

// time is a last-changed time in the cell: in the day's working hours mostly, or that of the instance made before.
func (m *maker) time(last *int64, precision int64) int64 {
	if *last != 0 && m.dice.Chance(m.generator.options.Ties) {
		return *last
	}
	length := m.cell.to - m.cell.from
	t := m.cell.from + m.dice.Below(length)
	if working := (m.dice.Below(9) + 7) * hour; m.dice.Chance(0.8) && length == dayMicros {
		t = m.cell.from + working + m.dice.Below(hour)
	}
	t = max(t/precision*precision, (m.cell.from+precision-1)/precision*precision)
	if t >= m.cell.to {
		t = m.cell.from
	}
	*last = t
	return t
}

// native makes an Altinn 3 instance.
func (m *maker) native(row *storage.Row) {
	apps := m.generator.byOrg[m.cell.org]
	a := apps[m.dice.Below(int64(len(apps)))]
	row.App, row.Detail, row.Version = a.number, a.detail, a.version
	row.LastChanged = m.time(&m.last, 1)
	row.Stage = m.stage(a)
	if row.Stage == stageDraft && m.dice.Chance(0.3) {
		row.Flags |= storage.Prefilled
	}
	if row.Stage >= stageUnconfirmed {
		row.Flags |= storage.Archived | storage.Ended
	}
	if row.Stage >= stageConfirmed {
		row.Flags |= storage.Confirmed
	}
	m.settle(row)
	row.Created = row.Settled
	if row.Stage != stageDraft || !m.dice.Chance(0.3) {
		row.Created -= m.dice.skewed(10*second, 40*dayMicros)
	}
}

// settle deletes some instances, and finds when the content was settled: what came afterwards, confirmation and
// deletion, takes its time back from the last change.
func (m *maker) settle(row *storage.Row) {
	o := m.generator.options
	row.Settled = row.LastChanged
	if roll := m.dice.Unit(); roll < o.HardDeleted+o.SoftDeleted {
		row.Flags |= storage.SoftDeleted | storage.BornDeleted
		if roll < o.HardDeleted {
			row.Flags |= storage.HardDeleted
		}
		row.Deleted = row.LastChanged
		row.Settled -= spanOf(*row, purposeDeleted, 10*dayMicros)
	}
	if row.Flags.Has(storage.Confirmed) {
		row.Settled -= spanOf(*row, purposeConfirmed, 3*dayMicros)
	}
}

// spanOf is how long after what came before something happened to an instance: at least a minute. It follows from the
// guid alone, so that later changes of the row do not move what happened.
func spanOf(row storage.Row, purpose uint64, longest int64) int64 {
	span := contentDice(row.GUID, purpose).skewed(minute, longest)
	if row.Version < 3 {
		return span / second * second
	}
	return span
}

// stage draws a state that the app's process has.
func (m *maker) stage(a *app) uint8 {
	kind := m.dice.Below(100)
	switch {
	case kind < 18:
		return stageDraft
	case kind < 26 && a.flow != flowSimple:
		return stageNext
	case kind < 29 && a.flow == flowFeedback:
		return stageAdditional
	case kind < 30 && a.flow == flowFeedback:
		return stageRejected
	case kind < 45:
		return stageUnconfirmed
	case kind < 93:
		return stageConfirmed
	}
	return stageSubstatus
}

// migrated makes an archived form. Its times are whole seconds, and with few forms the element stored last is older than
// the instance (Storage reference, 12.2).
func (m *maker) migrated(row *storage.Row, apps []*app) {
	a := apps[m.dice.Below(int64(len(apps)))]
	row.App, row.Detail, row.Version = a.number, a.detail, a.version
	row.Stage, row.Flags = stageMigrated, storage.Archived
	row.LastChanged = m.time(&m.lastMigrated, second)
	m.settle(row)
	row.Created = row.Settled - m.dice.skewed(minute, 20*dayMicros)/second*second
	if row.Deleted != 0 || !m.dice.Chance(0.03) {
		return
	}
	created := row.LastChanged + spanOf(*row, purposeStored, hour)
	settled := created + minute
	if settled <= m.generator.options.End.UnixMicro() {
		row.Flags |= storage.Odd
		row.Created, row.Settled = created, settled
	}
}

// contentDice are the dice that an instance's content is drawn with. The stream is another for each purpose.
func contentDice(guid uuid.UUID, purpose uint64) *dice {
	return &dice{world.NewDice(contentSeed(guid, purpose))}
}

func contentSeed(guid uuid.UUID, purpose uint64) uint64 {
	return binary.BigEndian.Uint64(guid[:8]) ^ binary.BigEndian.Uint64(guid[8:])*3 ^ purpose<<56
}
