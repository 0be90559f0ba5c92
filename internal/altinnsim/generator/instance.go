package generator

import (
	"strconv"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/storage"
)

// AppendInstance writes an instance (Storage reference, 11.1).
func (g *Generator) AppendInstance(dst []byte, view storage.View) []byte {
	l := g.life(view.Row)
	w := writer{pen: pen{out: dst}, host: g.host, life: &l, view: view, migrated: view.Row.Stage == stageMigrated}
	w.open('{')
	w.instance()
	w.close('}')
	return w.out
}

// writer writes one instance.
type writer struct {
	pen
	*life

	host     string
	view     storage.View
	migrated bool
}

func (w *writer) instance() {
	row := w.row
	w.text("id", row.Key())
	w.owners()
	w.text("appId", w.app.id)
	w.text("org", w.app.org.Code)
	if w.view.SelfLinks {
		w.selfLinks(uuid.Nil)
	}
	if w.due != 0 {
		w.time("dueBefore", w.due)
	}
	if w.visible != 0 {
		w.time("visibleAfter", w.visible)
	}
	if !w.migrated {
		w.object("process", w.process)
	}
	w.object("status", w.status)
	if w.confirmed != 0 {
		w.list("completeConfirmations", func() {
			w.element(func() {
				w.text("stakeholderId", w.app.org.Code)
				w.time("confirmedOn", w.confirmed)
			})
		})
	}
	w.list("data", func() {
		if w.view.Elements {
			w.elements()
		}
	})
	w.presentation()
	if values := w.values(); len(values) > 0 {
		w.object("dataValues", func() {
			for _, v := range values {
				w.text(v.Key, v.Value)
			}
		})
	}
	w.time("created", row.Created)
	w.text("createdBy", w.creator())
	w.time("lastChanged", row.LastChanged)
	w.text("lastChangedBy", w.changer())
}

func (w *writer) owners() {
	w.object("instanceOwner", func() {
		w.decimal("partyId", int64(w.row.Party))
		switch {
		case w.owner.Person != "":
			w.text("personNumber", w.owner.Person)
		case w.owner.Organisation != "":
			w.text("organisationNumber", w.owner.Organisation)
		default:
			w.text("username", w.owner.Username)
		}
	})
}

func (w *writer) selfLinks(element uuid.UUID) {
	w.object("selfLinks", func() {
		w.name("platform")
		w.raw(`"https://platform.`)
		w.raw(w.host)
		w.raw(storage.Prefix + "/instances/")
		w.raw(w.row.Key())
		if element != uuid.Nil {
			w.raw("/data/")
			w.out = storage.AppendUUID(w.out, element)
		}
		w.raw(`"`)
	})
}

// creator is a user id, or the organisation's number when the service owner made the instance.
func (l *life) creator() string {
	if l.row.Flags.Has(storage.Prefilled) {
		return l.app.org.Number
	}
	return strconv.FormatInt(l.user, 10)
}

func (l *life) changer() string {
	if l.row.Flags.Has(storage.Confirmed) && l.row.Deleted == 0 {
		return l.app.org.Number
	}
	if l.row.Deleted == 0 && l.row.Settled == l.row.Created {
		return l.creator()
	}
	return strconv.FormatInt(l.user, 10)
}

// unheard is a value that an enumeration does not have.
const unheard = "Uhoert"

// process is where the instance stands (11.1).
func (w *writer) process() {
	w.time("started", w.row.Created)
	w.text("startEvent", "StartEvent_1")
	if w.row.Stage >= stageUnconfirmed {
		w.time("ended", w.row.Settled)
		w.text("endEvent", "EndEvent_1")
		return
	}
	w.object("currentTask", func() { w.task(w.step()) })
}

// step is a task that an instance is in, or was in at an event.
type step struct {
	id, name, kind string
	flow           int64
	started        int64
}

// step is the current task.
func (l *life) step() step {
	switch l.row.Stage {
	case stageNext:
		return step{id: taskNext, name: l.app.flow.taskName(), kind: l.app.flow.taskType(), flow: 3, started: l.row.Settled}
	case stageRejected:
		return step{id: "Task_reject", name: "Avvist", kind: "reject", flow: 4, started: l.row.Settled}
	case stageAdditional:
		return step{id: taskFill, name: flowSimple.taskName(), kind: flowSimple.taskType(), flow: 4, started: l.answered}
	}
	return l.filling()
}

func (l *life) filling() step {
	return step{id: taskFill, name: flowSimple.taskName(), kind: flowSimple.taskType(), flow: 2, started: l.row.Created}
}

func (p *pen) task(s step) {
	p.integer("flow", s.flow)
	p.time("started", s.started)
	p.text("elementId", s.id)
	p.text("name", s.name)
	p.text("altinnTaskType", s.kind)
	if s.flow > 2 {
		p.text("flowType", "CompleteCurrentMoveToNext")
	}
}

func (w *writer) status() {
	row := w.row
	w.boolean("isArchived", row.Flags.Has(storage.Archived))
	if row.Flags.Has(storage.Archived) {
		w.time("archived", row.Settled)
	}
	w.boolean("isSoftDeleted", row.Flags.Has(storage.SoftDeleted))
	if row.Flags.Has(storage.SoftDeleted) {
		w.time("softDeleted", row.Deleted)
	}
	w.boolean("isHardDeleted", row.Flags.Has(storage.HardDeleted))
	if row.Flags.Has(storage.HardDeleted) {
		w.time("hardDeleted", row.Deleted)
	}
	read := "Read"
	if row.Flags.Has(storage.Prefilled) && row.Settled == row.Created {
		read = "Unread"
	}
	if w.odd {
		read = unheard
	}
	w.text("readStatus", read)
	if row.Stage == stageSubstatus {
		w.object("substatus", func() {
			w.text("label", substatusLabel)
			if row.GUID[15]%2 == 0 {
				w.text("description", substatusDescription)
			} else {
				w.null("description")
			}
		})
	}
}

func (w *writer) presentation() {
	a := w.app
	if !a.named && !a.period {
		return
	}
	w.object("presentationTexts", func() {
		if a.period {
			w.text("periode", w.period())
		}
		if a.named {
			w.text("navn", w.owner.DisplayName)
		}
	})
}

// period is a text that belongs in a title, such as 2025-03.
func (l *life) period() string { return storage.FormatTime(l.row.Created)[:len("2006-01")] }

// values are the instance's data values: an archive reference, and what was written later.
func (w *writer) values() []storage.Value {
	return append(w.ownValues(w.view.ID), w.view.Values...)
}

// Archive references count up from here, so that each is unique.
const (
	firstA1Reference = 100_000_000
	firstA2Reference = 300_000_000
)

// norwegianWinter is how far Norwegian local time is ahead of UTC in winter; good enough for a time stamp that is only
// printed (Storage reference, 12.1).
const norwegianWinter = hour

func (l *life) ownValues(id storage.RowID) []storage.Value {
	switch l.row.Version {
	case 1:
		return []storage.Value{{Key: "A1ArchRef", Value: strconv.FormatInt(firstA1Reference+int64(id), 10)}}
	case 2:
		t := storage.FormatTime(l.row.Settled + norwegianWinter)
		return []storage.Value{
			{Key: "A2ArchRef", Value: strconv.FormatInt(firstA2Reference+int64(id), 10)},
			{Key: "A2ArchRefTs", Value: t[8:10] + "-" + t[5:7] + "-" + t[:4] + " " + t[11:19]},
		}
	}
	if l.app.supplied {
		return []storage.Value{{Key: storage.DialogIDKey, Value: storage.DialogID(l.id(idSupplied), l.row.Created).String()}}
	}
	return nil
}
