package live

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/generator"
	"github.com/altinn/dialogsync/internal/altinnsim/storage"
)

// step makes one action happen.
func (d *Driver) step(ctx context.Context) {
	d.acting.Lock()
	defer d.acting.Unlock()
	if d.world == nil || ctx.Err() != nil {
		return
	}
	settings := d.Settings()
	action := weighted(&d.roll, actions(), settings.Shares)
	if action == "" {
		return
	}
	turn := turn{Driver: d, ctx: ctx, settings: settings, action: action}
	done, err := turn.take()
	switch {
	case err != nil:
		d.fail(action, err)
	case !done:
		d.count(func(c *Counts) { c.Skipped[action]++ })
	default:
		d.count(func(c *Counts) { c.Actions[action]++ })
	}
}

// turn is one action on its way.
type turn struct {
	*Driver

	ctx      context.Context //nolint:containedctx // it lives as long as the call
	settings Settings
	action   Action
}

// within is the same turn, continued later.
func (t turn) within(ctx context.Context) turn {
	t.ctx = ctx
	return t
}

// subject is an instance that something can happen to.
type subject struct {
	storage.Row

	appID   string
	task    string // element id of the current task
	kind    string // its type
	process generator.Process
}

// take finds out to whom the action happens, and does it. done is false when there is nobody.
func (t turn) take() (done bool, err error) {
	switch t.action {
	case Create:
		return true, t.create()
	case Form:
		return true, t.arrive(generator.FormSpec{}, false)
	default:
	}
	s, ok := t.pick()
	if !ok {
		return false, nil
	}
	return true, t.happen(s)
}

// happen does what happens to an instance that is there.
func (t turn) happen(s subject) error {
	store := t.config.Storage
	switch t.action {
	case Save:
		return t.save(s)
	case Move:
		return t.move(s)
	case Sign:
		return t.sign(s)
	case Answer:
		return t.answer(s)
	case Archive:
		return t.archive(s)
	case Confirm:
		return t.change(s, nil, func(at storage.Option) error { return store.Confirm(s.GUID, at) })
	case Substatus:
		return t.substatus(s)
	case SoftDelete:
		return t.change(s, nil, func(at storage.Option) error { return store.SoftDelete(s.GUID, at) })
	case HardDelete:
		return t.change(s, nil, func(at storage.Option) error { return store.HardDelete(s.GUID, at) })
	case Restore:
		return t.change(s, nil, func(at storage.Option) error { return store.Undelete(s.GUID, at) })
	case Remove, Vanish:
		return store.Remove(s.GUID)
	case Read:
		return store.SetReadStatus(s.GUID, "UpdatedSinceLastReview")
	case Texts:
		return store.SetPresentationText(s.GUID, "navn", fmt.Sprintf("Sak %d", t.roll.Below(100_000)))
	case Remigrate:
		return t.remigrate(s)
	default:
		return store.MigrateDelete(s.GUID)
	}
}

// How an instance is looked for.
const (
	recentTries = 16
	tries       = 400
)

// pick finds an instance that the action can happen to: often one that was touched lately.
func (t turn) pick() (subject, bool) {
	var found subject
	accept := func(item storage.Item) bool {
		s, ok := t.suits(item)
		if ok {
			found = s
		}
		return ok
	}
	if t.roll.Chance(t.settings.Recent) {
		for range min(recentTries, len(t.recent)) {
			if t.config.Storage.Look(t.recent[t.roll.Below(int64(len(t.recent)))], accept) {
				return found, true
			}
		}
	}
	_, _, ok := t.config.Storage.Sample(t.roll.Next(), tries, accept)
	return found, ok
}

// suits says whether the action can happen to an instance. What is cheap to know is asked first.
func (t turn) suits(item storage.Item) (subject, bool) {
	row := item.Row
	s := subject{Row: row, appID: item.AppID}
	if t.busy[row.GUID] {
		return s, false
	}
	deleted, native := row.Flags&(storage.SoftDeleted|storage.HardDeleted) != 0, row.Version > 2
	switch t.action {
	case Save, Move, Sign, Answer, Archive:
		if deleted || !native || row.Flags.Has(storage.Archived) {
			return s, false
		}
		var ok bool
		if s.process, ok = t.world.ProcessOf(item.AppID); !ok || !t.mayEver(s.process) {
			return s, false
		}
		facts := item.Facts()
		s.task, s.kind = facts.Task, facts.TaskType
		return s, t.mayStep(s)
	case Confirm:
		return s, native && !deleted && row.Flags.Has(storage.Archived) && !row.Flags.Has(storage.Confirmed)
	case Substatus:
		return s, native && !deleted && row.Flags.Has(storage.Archived)
	case SoftDelete:
		return s, !deleted && t.config.Storage.Deletable(row, item.AppID)
	case HardDelete:
		return s, !row.Flags.Has(storage.HardDeleted) && t.config.Storage.Deletable(row, item.AppID)
	case Restore:
		return s, deleted && !row.Flags.Has(storage.HardDeleted)
	case Remove:
		kept := time.Duration(t.settings.RemoveAfter)
		return s, native && row.Flags.Has(storage.HardDeleted) && t.config.Now().Sub(time.UnixMicro(row.Deleted)) >= kept
	case Remigrate, DeleteForm:
		return s, !native
	case Texts, Read:
		return s, native && !deleted
	default:
		return s, !deleted
	}
}

// mayEver says whether the action exists in a process: what an instance is doing now takes longer to find out.
func (t turn) mayEver(process generator.Process) bool {
	switch t.action {
	case Move:
		return process.HasNext()
	case Sign:
		return process.Next.Type == typeSigning
	case Answer:
		return process.Next.Type == typeFeedback
	default:
		return true
	}
}

// Types of tasks.
const (
	typeSigning  = "signing"
	typeFeedback = "feedback"
)

// mayStep says whether the instance stands where the action begins.
func (t turn) mayStep(s subject) bool {
	filling, next := s.task == s.process.Fill.ElementID, s.process.HasNext() && s.task == s.process.Next.ElementID
	switch t.action {
	case Save:
		return filling
	case Move:
		return filling && s.process.HasNext()
	case Sign:
		return next && s.kind == typeSigning
	case Answer:
		return next && s.kind == typeFeedback
	default:
		return next && s.kind != typeSigning || filling && !s.process.HasNext()
	}
}

// stamp is the time that a change bears, and how much later it is committed.
func (t turn) stamp(created int64) (at time.Time, delay time.Duration) {
	now := t.config.Now()
	at = now
	if t.roll.Chance(t.settings.SkewShare) {
		skew := time.Duration(t.settings.Skew)
		// Nothing happens to an instance before it is there.
		if moved := at.Add(within(&t.roll, 2*skew) - skew); moved.UnixMicro() > created {
			at = moved
			t.count(func(c *Counts) { c.Skewed++ })
		}
	}
	if t.roll.Chance(t.settings.LateShare) {
		delay = within(&t.roll, time.Duration(t.settings.Late))
		t.count(func(c *Counts) { c.Late++ })
	}
	return at, delay
}

// change makes a change, now or when it is committed, and announces it afterwards.
func (t turn) change(s subject, event *AppEvent, apply func(at storage.Option) error) error {
	at, delay := t.stamp(s.Created)
	t.touched(s.GUID)
	commit := func(ctx context.Context) error {
		if err := apply(storage.At(at)); err != nil {
			return err
		}
		t.announce(ctx, event)
		return nil
	}
	if delay == 0 {
		return commit(t.ctx)
	}
	t.schedule(followUp{action: t.action, instance: s.GUID, do: commit}, delay)
	return nil
}

func (d *Driver) announce(ctx context.Context, event *AppEvent) {
	if event == nil {
		return
	}
	err := d.config.Announce(ctx, *event)
	d.count(func(c *Counts) {
		if err != nil {
			c.Unposted++
			c.LastError = event.Type + ": " + err.Error()
			return
		}
		c.AppEvents++
	})
}

// remembered is how many instances count as touched lately.
const remembered = 5000

func (d *Driver) touched(guid uuid.UUID) {
	if len(d.recent) < remembered {
		d.recent = append(d.recent, guid)
		return
	}
	d.recent[d.oldest] = guid
	d.oldest = (d.oldest + 1) % remembered
}

func (s subject) event(eventType string) *AppEvent {
	return &AppEvent{Type: eventType, AppID: s.appID, PartyID: s.Party, Instance: s.GUID}
}

// create begins an instance.
func (t turn) create() error {
	at, delay := t.stamp(0)
	t.number++
	draft := t.world.Draft(t.number, at)
	guid, party, err := storage.ParseKey(draft.Instance)
	if err != nil {
		return err
	}
	commit := func(ctx context.Context) error {
		if err := t.config.Storage.Create(draft.Instance, draft.Events...); err != nil {
			return err
		}
		t.touched(guid)
		t.announce(ctx, &AppEvent{Type: EventCreated, AppID: draft.AppID, PartyID: party, Instance: guid})
		return nil
	}
	if delay == 0 {
		return commit(t.ctx)
	}
	t.schedule(followUp{action: Create, instance: guid, do: commit}, delay)
	return nil
}

// Shares of what saving is.
const (
	savesForm    = 0.6
	addsFile     = 0.9 // and the rest deletes one
	largestFile  = 5_000_000
	largestModel = 8_000
)

// save saves the form, attaches a file, or takes one away.
func (t turn) save(s subject) error {
	store := t.config.Storage
	var model, file uuid.UUID
	for _, e := range store.ElementsOf(s.GUID) {
		switch {
		case e.Is(generator.ModelType):
			model = e.ID
		case e.Is(generator.AttachmentType):
			file = e.ID
		}
	}
	kind, size, id := t.roll.Unit(), 1+t.roll.Below(largestFile), t.roll.UUID()
	delayed := t.roll.Chance(0.5)
	return t.change(s, nil, func(at storage.Option) error {
		switch {
		case kind < savesForm && model != uuid.Nil:
			return store.UpdateElement(s.GUID, model, 1000+size%largestModel, at)
		case kind < addsFile || file == uuid.Nil:
			return store.AddElement(s.GUID, storage.Element{
				ID: id, DataType: generator.AttachmentType, Filename: "Vedlegg.pdf", ContentType: "application/pdf", Size: size,
			}, at)
		}
		return store.DeleteElement(s.GUID, file, delayed, at)
	})
}

// move sends the form from filling in to the next task.
func (t turn) move(s subject) error {
	fill, next := s.process.Fill, s.process.Next
	step := storage.Step{To: &next, Events: []storage.StepEvent{{Type: "process_EndTask", Task: &fill}}}
	if next.Type == typeSigning {
		step.Events = append(step.Events, storage.StepEvent{Type: "SentToSign"})
	}
	step.Events = append(step.Events, storage.StepEvent{Type: "process_StartTask"})
	return t.change(s, s.event(EventMovedTo+next.ElementID), func(at storage.Option) error {
		return t.config.Storage.ProcessStep(s.GUID, step, at)
	})
}

// sign signs, and archives a little later.
func (t turn) sign(s subject) error {
	if err := t.config.Storage.Sign(s.GUID, storage.At(t.config.Now())); err != nil {
		return err
	}
	t.touched(s.GUID)
	t.schedule(followUp{action: Sign, instance: s.GUID, do: func(ctx context.Context) error {
		return t.within(ctx).archive(s)
	}}, within(&t.roll, time.Duration(t.settings.After)))
	return nil
}

// answer is the service owner's: it writes into the form and asks for more, or rejects it.
func (t turn) answer(s subject) error {
	store := t.config.Storage
	next := s.process.Next
	to := s.process.Fill
	if t.roll.Chance(0.25) {
		to = s.process.Reject
	}
	return t.change(s, s.event(EventMovedTo+to.ElementID), func(at storage.Option) error {
		if err := store.PostEvent(s.GUID, "Saved", at, storage.ByServiceOwner()); err != nil {
			return err
		}
		return store.ProcessStep(s.GUID, storage.Step{To: &to, Events: []storage.StepEvent{
			{Type: "process_EndTask", Task: &next}, {Type: "process_StartTask"},
		}}, at, storage.ByServiceOwner())
	})
}

// archive ends the process. The receipt is made afterwards.
func (t turn) archive(s subject) error {
	store := t.config.Storage
	task := s.process.Fill
	if s.task != task.ElementID {
		task = s.process.Next
	}
	wait, id := within(&t.roll, time.Duration(t.settings.After)), t.roll.UUID()
	submit := func(at storage.Option) error {
		err := store.ProcessStep(s.GUID, storage.Step{Events: []storage.StepEvent{
			{Type: "process_EndTask", Task: &task}, {Type: "process_EndEvent"}, {Type: "Submited"},
		}}, at)
		if err != nil {
			return err
		}
		t.schedule(followUp{action: Archive, instance: s.GUID, do: func(context.Context) error {
			return store.AddElement(s.GUID, storage.Element{
				ID: id, DataType: generator.ReceiptType, Filename: "Kvittering.pdf", ContentType: "application/pdf",
				Size: 60_000, Task: task.ElementID,
			}, storage.At(t.config.Now()))
		}}, wait)
		return nil
	}
	return t.change(s, s.event(EventCompleted), submit)
}

func (t turn) substatus(s subject) error {
	description := ""
	if t.roll.Chance(0.5) {
		description = generator.SubstatusDescription
	}
	return t.change(s, s.event(EventSubstatus), func(at storage.Option) error {
		return t.config.Storage.SetSubstatus(s.GUID, generator.SubstatusLabel, description, at)
	})
}

// References of forms that arrive, far from those of a generated history.
const (
	firstA1 = 210_000_000
	firstA2 = 900_000_000
	shareA1 = 0.1
)

// age is how old the last change of a form is that arrives now.
func (t turn) age() time.Duration {
	const day = 24 * time.Hour
	between := func(shortest, longest time.Duration) time.Duration {
		return shortest + within(&t.roll, longest-shortest)
	}
	switch weighted(&t.roll, ages(), t.settings.Forms) {
	case Hours:
		return between(time.Hour, day)
	case Days:
		return between(day, 30*day)
	case Years:
		return between(365*day, 15*365*day)
	default:
		return between(time.Minute, 15*time.Minute)
	}
}

// arrive makes an archived form arrive: a new one, or one that has been here before.
func (t turn) arrive(spec generator.FormSpec, again bool) error {
	t.number++
	if !again {
		t.forms++
		spec.Version, spec.Reference = 2, strconv.Itoa(firstA2+t.forms)
		if t.roll.Chance(shareA1) {
			spec.Version, spec.Reference = 1, strconv.Itoa(firstA1+t.forms)
		}
		spec.LastChanged = t.config.Now().Add(-t.age())
	}
	form, err := t.world.Form(t.number, spec)
	if err != nil {
		return err
	}
	store := t.config.Storage
	state, elements, err := store.MigrateInstance(form.Instance)
	if err != nil {
		return err
	}
	complete := func(context.Context) error {
		_, err := store.CompleteForm(state.Instance, elements, form.Events)
		return err
	}
	t.touched(state.Instance)
	if t.roll.Chance(t.settings.Incomplete) {
		t.schedule(followUp{action: t.action, instance: state.Instance, do: complete}, within(&t.roll, time.Duration(t.settings.After)))
		return nil
	}
	return complete(t.ctx)
}

// remigrate brings a form once more, as it was.
func (t turn) remigrate(s subject) error {
	version, reference, ok := t.config.Storage.FormReference(s.GUID)
	if !ok {
		return fmt.Errorf("form %s has no archive reference: %w", s.GUID, storage.ErrNotFound)
	}
	spec := generator.FormSpec{
		AppID: s.appID, Version: version, Party: s.Party, Reference: reference, LastChanged: time.UnixMicro(s.LastChanged),
	}
	if s.Created <= s.LastChanged {
		spec.Created = time.UnixMicro(s.Created)
	}
	return t.arrive(spec, true)
}
