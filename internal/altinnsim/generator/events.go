package generator

import (
	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/storage"
)

// happening is an event on its way to be written.
type happening struct {
	kind    string
	at      int64
	data    bool // it concerns the form's data element
	byOrg   bool
	task    *step
	related bool // migrated: somebody else took part
	info    string
}

// Events are what happened, oldest first (Storage reference, chapter 5).
func (g *Generator) Events(row storage.Row, _ storage.RowID) []storage.Event {
	l := g.life(row)
	happenings := l.happenings()
	if row.Stage == stageMigrated {
		happenings = l.migratedHappenings()
	}
	events := make([]storage.Event, 0, len(happenings))
	for i, h := range happenings {
		events = append(events, l.event(l.id(idEvents+uint64(i)), h))
	}
	return events
}

// happenings tell the life of an Altinn 3 instance.
func (l *life) happenings() []happening {
	row, filling := l.row, l.filling()
	prefilled := row.Flags.Has(storage.Prefilled)
	out := []happening{
		{kind: "Created", at: row.Created, byOrg: prefilled, task: &filling},
		{kind: "process_StartEvent", at: row.Created, byOrg: prefilled},
		{kind: "process_StartTask", at: row.Created, byOrg: prefilled, task: &filling},
		{kind: "Created", at: row.Created, data: true, byOrg: prefilled, task: &filling},
	}
	for i, at := range l.saves {
		if l.answered != 0 && i == len(l.saves)-1 {
			out = append(out, l.feedback(l.answered)...)
		}
		out = append(out, happening{kind: "Saved", at: at, data: true, task: &filling})
	}
	switch {
	case row.Stage == stageNext || row.Stage == stageRejected:
		out = append(out, l.moved(row.Settled)...)
	case l.archived():
		out = append(out, l.submitted()...)
	}
	if l.confirmed != 0 {
		out = append(out, happening{kind: "ConfirmedComplete", at: l.confirmed, byOrg: true})
	}
	if l.substatus != 0 {
		out = append(out, happening{kind: "SubstatusUpdated", at: l.substatus, byOrg: true})
	}
	if l.deleted != 0 {
		out = append(out, happening{kind: "Deleted", at: l.deleted})
	}
	return out
}

// feedback is the service owner's answer: it saves in the feedback task and sends the form back.
func (l *life) feedback(at int64) []happening {
	task := step{id: taskNext, name: flowFeedback.taskName(), kind: flowFeedback.taskType(), flow: 3, started: at}
	return []happening{{kind: "process_StartTask", at: at, task: &task}, {kind: "Saved", at: at, data: true, byOrg: true, task: &task}}
}

// moved is the step from filling in to the next task.
func (l *life) moved(at int64) []happening {
	current := l.step()
	out := []happening{{kind: "process_EndTask", at: at}}
	switch {
	case l.row.Stage == stageRejected:
		out = append(out, l.feedback(l.row.Created+(at-l.row.Created)/2)...)
	case l.app.flow == flowSigning:
		out = append(out, happening{kind: "SentToSign", at: at, task: &current})
	case l.app.flow == flowPayment:
		out = append(out, happening{kind: "SentToPayment", at: at, task: &current})
	}
	return append(out, happening{kind: "process_StartTask", at: at, task: &current})
}

// submitted is the end of the process.
func (l *life) submitted() []happening {
	at := l.row.Settled
	before := l.row.Created + (at-l.row.Created)*7/8
	var out []happening
	switch l.app.flow {
	case flowSigning:
		task := step{id: taskNext, name: flowSigning.taskName(), kind: flowSigning.taskType(), flow: 3, started: before}
		out = append(out, happening{kind: "SentToSign", at: before, task: &task}, happening{kind: "Signed", at: at, task: &task})
	case flowPayment:
		task := step{id: taskNext, name: flowPayment.taskName(), kind: flowPayment.taskType(), flow: 3, started: before}
		out = append(out, happening{kind: "SentToPayment", at: before, task: &task})
	default: // no event of its own
	}
	return append(out, happening{kind: "process_EndTask", at: at}, happening{kind: "process_EndEvent", at: at},
		happening{kind: "Submited", at: at})
}

// migratedHappenings tell the life of an archived form.
func (l *life) migratedHappenings() []happening {
	row := l.row
	middle := row.Created + (row.Settled-row.Created)/2/second*second
	out := []happening{{kind: "Created", at: row.Created}, {kind: "SentToFormFill", at: row.Created}}
	if l.signedForm() {
		out = append(out, happening{kind: "SentToSign", at: middle}, happening{kind: "Signed", at: row.Settled})
	}
	out = append(out, happening{kind: "SentToSendIn", at: row.Settled}, happening{kind: "Submited", at: row.Settled})
	switch row.GUID[13] % 5 {
	case 0:
		out = append(out, happening{kind: "NotificationSentSms", at: row.Settled, info: "SMS sendt"})
	case 1:
		out = append(out, happening{kind: "InstanceForwarded", at: row.Settled, related: true},
			happening{kind: "InstanceRightRevoked", at: row.Settled, related: true})
	case 2:
		out = append(out, happening{kind: "MessageRead", at: row.Settled}, happening{kind: "MessageArchived", at: row.Settled})
	}
	if l.deleted != 0 {
		out = append(out, happening{kind: "Deleted", at: l.deleted})
	}
	return out
}

// event writes an event.
func (l *life) event(id uuid.UUID, h happening) storage.Event {
	w := pen{out: make([]byte, 0, 512)}
	w.open('{')
	w.uuid("id", id)
	if l.row.Stage == stageMigrated {
		w.uuid("instanceId", l.row.GUID)
	} else {
		w.text("instanceId", l.row.Key())
	}
	if h.data {
		w.uuid("dataId", l.id(idModel))
	}
	w.time("created", h.at)
	w.text("eventType", h.kind)
	w.decimal("instanceOwnerPartyId", int64(l.row.Party))
	w.object("user", func() { l.actor(&w, h) })
	if h.related {
		w.object("relatedUser", func() {
			w.integer("userId", ActorOf(l.row.Party+1))
			w.integer("authenticationLevel", 0)
		})
	}
	if h.kind != "Deleted" && h.kind != "Undeleted" && l.row.Stage != stageMigrated {
		w.object("processInfo", func() { l.processInfo(&w, h) })
	}
	if h.info != "" {
		w.text("additionalInfo", h.info)
	}
	w.close('}')
	return storage.Event{ID: id, Created: storage.FormatTime(h.at), Type: h.kind, JSON: w.out}
}

func (l *life) actor(w *pen, h happening) {
	switch {
	case h.byOrg:
		w.text("orgId", l.app.org.Code)
		w.integer("authenticationLevel", 0)
	case l.system:
		w.integer("endUserSystemId", 400+int64(l.row.GUID[12]))
		w.integer("authenticationLevel", 2)
	default:
		w.integer("userId", l.user)
		w.integer("authenticationLevel", 3)
	}
}

func (l *life) processInfo(w *pen, h happening) {
	w.time("started", l.row.Created)
	w.text("startEvent", "StartEvent_1")
	if h.task != nil {
		w.object("currentTask", func() { w.task(*h.task) })
		return
	}
	if l.archived() && h.at >= l.row.Settled {
		w.time("ended", l.row.Settled)
		w.text("endEvent", "EndEvent_1")
	}
}

// Facts are an instance's properties that filters and comparisons ask for, without writing it.
func (g *Generator) Facts(row storage.Row, id storage.RowID) storage.Facts {
	l := g.life(row)
	facts := storage.Facts{Values: l.ownValues(id), FirstByOrg: row.Flags.Has(storage.Prefilled)}
	if row.Stage == stageMigrated {
		return facts
	}
	if l.archived() {
		facts.ProcessEnded = storage.FormatTime(row.Settled)
	} else {
		current := l.step()
		facts.Task, facts.TaskType = current.id, current.kind
	}
	facts.VisibleAfter = storage.FormatTime(l.visible)
	if l.due != 0 {
		facts.DueBefore = storage.FormatTime(l.due)
	}
	if l.confirmed != 0 {
		facts.Confirmations = []string{l.app.org.Code}
	}
	if l.app.period {
		facts.PresentationTexts = append(facts.PresentationTexts, l.period())
	}
	if l.app.named {
		facts.PresentationTexts = append(facts.PresentationTexts, l.owner.DisplayName)
	}
	facts.Feedback = row.Stage == stageAdditional || row.Stage == stageRejected
	return facts
}
