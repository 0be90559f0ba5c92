package generator

import (
	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/storage"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Element ids of tasks.
const (
	taskFill = "Task_1"
	taskNext = "Task_2"
)

// Purposes of content dice.
const (
	purposeLife uint64 = iota + 1
	purposeIDs
	purposeConfirmed
	purposeDeleted
	purposeStored
	purposeOdd
)

// life is what happened to an instance, from which the instance and its events are written alike.
type life struct {
	row       storage.Row
	app       *app
	owner     world.Party
	user      int64   // who acts for the owner
	saves     []int64 // times of saving, rising
	answered  int64   // when the service owner answered in the feedback task; 0: not
	confirmed int64   // when the service owner confirmed; 0: not
	substatus int64   // when the service owner set a substatus; 0: not
	deleted   int64   // when it was deleted, if that was before it was loaded
	stored    int64   // migrated: when the element stored last was changed
	files     []file
	due       int64
	visible   int64
	system    bool // migrated: an end-user system acted
	odd       bool // see Options.Odd
}

// file is an attachment.
type file struct {
	name    string // "" none
	kind    string
	content string
	created int64
	size    int64
	byOrg   bool
}

// people that act for parties that are not persons.
const actors = 50_000

func (g *Generator) life(row storage.Row) life {
	roll := contentDice(row.GUID, purposeLife)
	l := life{row: row, app: g.apps[row.Detail], user: g.UserOf(row.Party)}
	l.owner, _ = g.population.ByID(row.Party) // a missing party is computed as well
	l.odd = contentDice(row.GUID, purposeOdd).Chance(g.options.Odd)
	span := row.Settled - row.Created
	l.after()
	if row.Stage == stageMigrated {
		l.system = roll.Chance(0.3)
		l.filesOf(roll, row.Created, span/2/second*second, second)
		return l
	}
	for n := roll.Below(4); n > 0 && span > 0; n-- {
		// Between creation and what came last, which is the last save of a draft.
		l.saves = append(l.saves, row.Created+span*(5-n)/8)
	}
	if row.Stage == stageDraft && span > 0 {
		l.saves = append(l.saves, row.Settled)
	}
	if row.Stage == stageAdditional {
		l.answered = row.Created + span*3/4
		l.saves = append(l.saves, row.Settled)
	}
	l.filesOf(roll, row.Created, span/3, 1)
	if l.confirmed != 0 && roll.Chance(0.1) {
		l.files = append(l.files, file{
			name: "Vedtak.pdf", kind: typeLetter, content: "application/pdf",
			created: row.Settled + (l.confirmed-row.Settled)/2, size: 20_000 + roll.Below(90_000), byOrg: true,
		})
	}
	l.dates(roll, g.options.End.UnixMicro())
	return l
}

// after finds when the things happened that came after the content was settled.
func (l *life) after() {
	row := l.row
	last := row.Settled
	if row.Flags.Has(storage.Confirmed) {
		span := spanOf(row, purposeConfirmed, 3*dayMicros)
		last += span
		l.confirmed = last
		if row.Stage == stageSubstatus {
			l.confirmed, l.substatus = row.Settled+span/2, last
		}
	}
	if row.Flags.Has(storage.BornDeleted) {
		l.deleted = last + spanOf(row, purposeDeleted, 10*dayMicros)
	}
	l.stored = row.Settled
	if row.Flags.Has(storage.Odd) {
		l.stored = row.Created - spanOf(row, purposeStored, hour)
	}
}

// dates are due and visible times: of drafts, often in the future.
func (l *life) dates(roll *dice, end int64) {
	l.visible = l.row.Created / millisecond * millisecond
	if roll.Chance(0.2) {
		l.due = (l.row.Created/dayMicros + 30) * dayMicros
	}
	if l.row.Flags.Has(storage.Prefilled) && roll.Chance(0.1) {
		l.visible = (end/dayMicros + 1 + roll.Below(10)) * dayMicros
		l.due = l.visible + 30*dayMicros
	}
}

func (l *life) filesOf(roll *dice, from, span, precision int64) {
	if !roll.Chance(0.35) {
		return
	}
	for n := roll.Below(3) + 1; n > 0; n-- {
		name, content := fileName(roll)
		kind := typeVedlegg
		if l.row.Version < 3 {
			kind = typeBinary
		}
		l.files = append(l.files, file{
			name: name, kind: kind, content: content, size: 1 + roll.Below(5_000_000),
			created: from + span*(4-n)/4/precision*precision,
		})
		if l.odd {
			l.files[len(l.files)-1].size = 0
		}
	}
}

// UserOf is the user that acts for a party: a person for itself, some person for others.
func (g *Generator) UserOf(party int32) int64 { return ActorOf(party) }

// ActorOf is the user id of who acts for a party.
func ActorOf(party int32) int64 {
	if user := world.UserOf(party); user != 0 {
		return user
	}
	h := world.Mix(uint64(uint32(party))) //nolint:gosec // only mixed
	if h%100 == 0 {
		return world.UserOf(world.Population{}.Enterprise(h % actors))
	}
	return world.UserOf(world.Population{}.Person(h % actors))
}

// id is the nth id that belongs to the instance.
func (l life) id(n uint64) uuid.UUID {
	roll := world.NewDice(contentSeed(l.row.GUID, purposeIDs) + n*0x632be59bd9b4e019)
	var id uuid.UUID
	for i := 0; i < len(id); i += 8 {
		for v, j := roll.Next(), 0; j < 8; v, j = v>>8, j+1 {
			id[i+j] = byte(v)
		}
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}
