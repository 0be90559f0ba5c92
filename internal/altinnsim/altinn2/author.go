package altinn2

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// mailingSize is how many consecutive messages are one mailing, if they are one.
const mailingSize = 200

// author makes messages up: the nth is always the same. It is safe for concurrent use.
type author struct {
	options  Options
	firstID  int32
	services []service
}

// SenderUUID is the party of a service owner.
func SenderUUID(org world.Organisation) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("sender "+org.Number))
}

// service is a message service of an organisation.
type service struct {
	resource string
	org      world.Organisation
	sender   uuid.UUID
	title    [3]string // nb, nn, en
}

func newAuthor(options Options, firstID int32) *author {
	a := &author{options: options, firstID: firstID}
	subjects := [...][3]string{
		{"Skattemelding for %d", "Skattemelding for %d", "Tax return for %d"},
		{"Vedtak i sak %d", "Vedtak i sak %d", "Decision in case %d"},
		{"Innkalling til kontroll %d", "Innkalling til kontroll %d", "Notice of inspection %d"},
		{"Tilbakemelding på søknad %d", "Tilbakemelding på søknad %d", "Reply to application %d"},
		{"Purring på faktura %d", "Purring på faktura %d", "Reminder of invoice %d"},
	}
	for o, org := range world.Organisations(options.Orgs) {
		for n := range options.Services {
			const firstCode, firstEdition = 3400, 130_000
			a.services = append(a.services, service{
				resource: fmt.Sprintf("%s-migratedcorrespondence-%d-%d", org.Code, firstCode+o*options.Services+n, firstEdition+n*101+o),
				org:      org, sender: SenderUUID(org), title: subjects[(o+n)%len(subjects)],
			})
		}
	}
	return a
}

// resources are the entries of the resource registry.
func (a *author) resources() []world.Resource {
	out := make([]world.Resource, 0, len(a.services))
	for _, s := range a.services {
		out = append(out, world.Resource{ID: s.resource, OrgNumber: s.org.Number, Org: s.org.Code, Type: "CorrespondenceService"})
	}
	return out
}

// organisations are the senders.
func (a *author) organisations() []world.Organisation { return world.Organisations(a.options.Orgs) }

// Streams of numbers, so that one question does not disturb the other.
const (
	streamBlock = iota + 1
	streamService
	streamMessage
)

func (a *author) dice(stream, n uint64) *dice {
	return &dice{world.NewDice(world.Mix(a.options.Seed<<24 ^ stream<<56 ^ world.Mix(n)))}
}

// mailing says whether a message is one of many that went out at once, and rolls the dice that they share.
func (a *author) mailing(n uint32) (shared *dice, ok bool) {
	shared = a.dice(streamBlock, uint64(n/mailingSize))
	return shared, shared.Chance(a.options.Mailings)
}

func (a *author) serviceOf(n uint32) service {
	number := uint64(n)
	if _, ok := a.mailing(n); ok {
		number = uint64(n/mailingSize) << 32
	}
	roll := a.dice(streamService, number)
	// A few services have most.
	i := min(roll.Below(int64(len(a.services))), roll.Below(int64(len(a.services))))
	return a.services[i]
}

func (a *author) resourceOf(n uint32) string { return a.serviceOf(n).resource }

// writer makes one message.
type writer struct {
	*dice

	author  *author
	service service
	record  Record
	reader  uuid.UUID
	// language is an index of texts.
	language int
}

// record makes the nth message.
func (a *author) record(n uint32) Record {
	w := writer{dice: a.dice(streamMessage, uint64(n)), author: a, service: a.serviceOf(n)}
	id := a.firstID + int32(n) //nolint:gosec // bounded by maxMessages
	created := w.created(n)
	w.record = Record{
		ID: id, ResourceID: w.service.resource, Sender: Sender{OrgNumber: w.service.org.Number, PartyUUID: w.service.sender},
		SendersReference: "ref-" + strconv.Itoa(int(id)), Created: created, VisibleFrom: created, Deletion: DeletionNone, ChangedAt: created,
		Properties: map[string]string{},
	}
	archive := "AR" + strconv.Itoa(int(id))
	w.record.ArchiveUnit = &archive
	w.recipient()
	w.text(n)
	w.extras()
	w.attachments(n)
	w.events()
	w.notifications()
	w.forwardings()
	if w.Chance(a.options.Odd) {
		w.odd()
	}
	if w.Chance(a.options.Broken) {
		w.broken()
	}
	return w.record
}

// created is when a message was made: those of a mailing share one instant.
func (w *writer) created(n uint32) time.Time {
	o := w.author.options
	count := uint32(max(o.Messages, 1)) //nolint:gosec // bounded by maxMessages
	span := o.To.Sub(o.From)
	at := func(position uint32) time.Duration {
		return time.Duration(float64(span) * float64(position) / float64(count))
	}
	block := n / mailingSize * mailingSize
	from, to := at(block), min(at(block+mailingSize), span)
	roll, shared := w.author.mailing(n)
	if !shared {
		roll = w.dice
	}
	offset := from + time.Duration(roll.Below(int64(max(to-from, 1))))
	const grain = 10 * time.Millisecond
	return o.From.Add(offset).Truncate(grain)
}

func (w *writer) recipient() {
	o := w.author.options
	var r Recipient
	switch kind := w.Unit(); {
	case kind < o.Persons:
		p := w.person()
		r = Recipient{Kind: KindPerson, PersonNumber: p.Person, PartyUUID: p.UUID, PartyID: p.ID, Deceased: w.Chance(o.Deceased)}
		w.reader = p.UUID
	case kind < o.Persons+o.SelfIdentified:
		p, _ := people().ByID(people().SelfIdentified(w.Next() * 2)) // they are computed
		r = Recipient{Kind: KindSelfIdentified, PartyUUID: p.UUID, PartyID: p.ID}
		w.reader = w.person().UUID
		if p.ExternalURN != "" {
			w.reader = p.UUID
		}
	default:
		p := w.company()
		r = Recipient{Kind: KindOrganisation, OrgNumber: p.Organisation, PartyUUID: p.UUID, PartyID: p.ID}
		w.reader = w.person().UUID
	}
	w.record.Recipient = r
}

func (w *writer) text(n uint32) {
	w.language = pick(w.dice, 0, 0, 0, 0, 0, 1, 2)
	language := [...]string{"nb", "nn", "en"}[w.language]
	number := int64(n)
	if _, ok := w.author.mailing(n); ok {
		number = int64(n / mailingSize)
	}
	title := fmt.Sprintf(w.service.title[w.language], number)
	greetings := [...]string{"Hei", "Hei", "Hello"}
	body := "<p>" + greetings[w.language] + ",</p><p>" + title + ". <a href=\"/skjema\">Les mer</a>.</p>"
	summary := ""
	if w.Chance(0.4) {
		summary = title + ": se vedlegget."
	}
	w.record.Content = Content{Language: &language, Title: &title, Summary: &summary, Body: &body}
	if w.Chance(0.8) {
		name := w.service.org.Name.NB
		w.record.MessageSender = &name
	}
}

func (w *writer) extras() {
	o := w.author.options
	w.record.ConfirmationRequired = w.Chance(o.Confirmation)
	if w.Chance(0.1) {
		due := w.record.Created.Add(time.Duration(7+w.Below(60)) * day)
		w.record.DueAt = &due
	}
	if w.Chance(0.05) {
		ignore := w.Chance(0.5)
		w.record.IgnoreReservation = &ignore
	}
	if w.Chance(0.2) {
		w.record.Properties["Saksnummer"] = strconv.FormatInt(w.Below(100_000), 10) + "/2025"
	}
	if !w.Chance(o.Replies) {
		return
	}
	for i := range 1 + w.Below(5) {
		text := "Svar " + strconv.FormatInt(i+1, 10)
		reply := ReplyOption{URL: "https://www.example.no/svar/" + strconv.FormatInt(w.Below(1000), 10), Text: &text}
		if w.Chance(0.3) {
			reply.Text = nil
		}
		w.record.ReplyOptions = append(w.record.ReplyOptions, reply)
	}
}

func (w *writer) attachments(n uint32) {
	o := w.author.options
	roll, shared := w.author.mailing(n)
	if !roll.Chance(o.Attached) {
		return
	}
	for i := range 1 + roll.Below(4) {
		a := Attachment{ID: fmt.Sprintf("SS%d-%d", w.record.ID, i), Created: w.record.Created, Size: int64(roll.skewed(200, 40_000))}
		if shared {
			// All messages of the mailing have the same file.
			a.ID = fmt.Sprintf("SM%d-%d", w.author.firstID+int32(n/mailingSize*mailingSize), i) //nolint:gosec // bounded
		}
		if roll.Chance(0.001) {
			a.Size = o.LargestFile
		}
		a.Size = min(a.Size, o.LargestFile)
		name := fmt.Sprintf("vedlegg%d.%s", i+1, pick(roll, "pdf", "pdf", "pdf", "PDF", "docx", "xml", "txt", "jpg", "zip", "dat"))
		shown, reference := "Vedlegg "+strconv.FormatInt(i+1, 10), "vedl-"+strconv.FormatInt(i+1, 10)
		a.FileName, a.DisplayName, a.SendersReference = &name, &shown, &reference
		w.record.Attachments = append(w.record.Attachments, a)
	}
}

// happen adds an event if it lies in the world's past.
func (w *writer) happen(kind string, at time.Time, party uuid.UUID) bool {
	at = at.Truncate(time.Millisecond)
	if at.After(w.author.options.End) {
		return false
	}
	if w.record.happened(kind, at, party) != nil {
		return false
	}
	if at.After(w.record.ChangedAt) {
		w.record.ChangedAt = at
	}
	return true
}

func (w *writer) events() {
	o, created := w.author.options, w.record.Created
	w.happen(EventCreated, created, uuid.Nil)
	w.happen(EventPublished, created.Add(time.Duration(w.Below(int64(time.Minute)))), w.service.sender)
	at := created.Add(w.skewed(time.Minute, 30*day))
	if w.Chance(o.Read) && w.happen(EventRead, at, w.reader) {
		if w.record.ConfirmationRequired && w.Chance(0.7) {
			at = at.Add(w.skewed(time.Second, day))
			w.happen(EventConfirmed, at, w.reader)
		}
		if w.Chance(0.1) {
			w.happen(EventRead, at.Add(w.skewed(time.Minute, day)), w.person().UUID)
		}
	}
	if w.Chance(o.Archived) {
		at = at.Add(w.skewed(time.Minute, 30*day))
		w.happen(EventArchived, at, w.reader)
	}
	if w.Chance(o.Trashed) {
		at = at.Add(w.skewed(time.Minute, 10*day))
		if w.happen(EventSoftDeleted, at, w.reader) && w.Chance(1./3) {
			at = at.Add(w.skewed(time.Second, 10*day))
			w.happen(EventRestored, at, w.reader)
		}
	}
	if w.Chance(o.Purged) {
		at = at.Add(w.skewed(time.Minute, 10*day))
		w.happen(pick(w.dice, EventPurged, EventPurged, EventPurgedByOwner), at, w.reader)
	}
}

func (w *writer) notifications() {
	if !w.Chance(w.author.options.Notified) {
		return
	}
	n := Notification{ID: w.record.ID*2 - 1, Channel: channelEmail, Address: "post" + strconv.FormatInt(w.Below(10_000), 10) + "@example.no"}
	if w.Chance(0.4) {
		n.Channel, n.Address = channelSMS, fmt.Sprintf("+479%07d", w.Below(10_000_000))
	}
	n.SentAt = w.record.Created.Add(time.Duration(w.Below(int64(time.Hour)))).Truncate(time.Millisecond)
	w.notify(n)
	if w.Chance(1. / 3) {
		n.ID++
		n.SentAt, n.Reminder = n.SentAt.Add(7*day), true
		w.notify(n)
	}
}

func (w *writer) notify(n Notification) {
	if n.SentAt.After(w.author.options.End) {
		return
	}
	w.record.Notifications = append(w.record.Notifications, n)
	if n.SentAt.After(w.record.ChangedAt) {
		w.record.ChangedAt = n.SentAt
	}
}

func (w *writer) forwardings() {
	if !w.Chance(w.author.options.Forwarded) {
		return
	}
	f := Forwarding{
		At: w.record.Created.Add(w.skewed(time.Minute, 20*day)).Truncate(time.Millisecond), ByPartyUUID: w.reader,
		ByUserID:   int32(w.Below(1_000_000)), //nolint:gosec // below a million
		ByUserUUID: userOf(w.reader),
	}
	if f.At.After(w.author.options.End) {
		return
	}
	f.target(w.dice)
	if w.Chance(0.5) {
		note := "Se på denne"
		f.Text = &note
	}
	w.record.Forwardings = append(w.record.Forwardings, f)
	if f.At.After(w.record.ChangedAt) {
		w.record.ChangedAt = f.At
	}
}

// target is whom a forwarding goes to.
func (f *Forwarding) target(roll *dice) {
	switch roll.Below(3) {
	case 0:
		p := roll.person()
		id := int32(p.UserIDs[0]) //nolint:gosec // user ids are small
		f.ToUserUUID, f.ToUserID = &p.UUID, &id
	case 1:
		address := "kopi" + strconv.FormatInt(roll.Below(1000), 10) + "@example.no"
		f.ToEmail = &address
	default:
		supplier := pick(roll, "984661185", "922020175", "996460320")
		f.MailboxSupplier = &supplier
	}
}

// odd adds one of the pitfalls that a careful worker delivers all the same (chapter 14).
func (w *writer) odd() {
	r := &w.record
	switch w.Below(13) {
	case 0: // one event from two stores, with different fractions
		e := r.Events[w.Below(int64(len(r.Events)))]
		e.At = e.At.Truncate(time.Second).Add(time.Duration(w.Below(int64(time.Second)))).Truncate(time.Millisecond)
		r.Events = append(r.Events, e)
	case 1: // out of order
		slices.Reverse(r.Events)
	case 2:
		title := strings.Repeat(*r.Content.Title+" – ", 20)
		r.Content.Title = &title
	case 3:
		r.SendersReference = strings.Repeat("referanse ", 40)
	case 4: // tags that differ in case only
		r.Properties["a"], r.Properties["b"] = "Hasteoppdrag", "HASTEOPPDRAG"
	case 5:
		text := "Svar"
		r.ReplyOptions = []ReplyOption{{URL: "http://www.example.no/svar", Text: &text}}
	case 6:
		for i := range r.Attachments {
			blank := ""
			r.Attachments[i].DisplayName = &blank
		}
	case 7:
		summary := "**Viktig** & [haster](https://example.no) <b>nå</b>"
		r.Content.Summary = &summary
	case 8:
		r.Content.Summary = nil
	case 9:
		language := pick(w.dice, "NB", "se", "EN")
		r.Content.Language = &language
	case 10:
		for i := range r.Attachments {
			name := pick(w.dice, "uten etternavn", "æøå %20 #1.pdf", "a/b\\c.pdf", strings.Repeat("n", 200)+".pdf")
			r.Attachments[i].FileName = &name
		}
	case 11:
		r.SendersReference = "  "
	default: // past for long
		due := r.Created.Add(-day)
		r.DueAt = &due
	}
}

// broken makes a message that cannot be delivered as it is.
func (w *writer) broken() {
	r := &w.record
	switch w.Below(4) {
	case 0: // no Published event
		r.Events = slices.DeleteFunc(r.Events, func(e Event) bool { return e.Type == EventPublished })
	case 1: // the first reader is nobody that the register knows
		stranger := w.stranger()
		at := r.Created.Add(time.Second)
		if !at.After(w.author.options.End) {
			r.Events = append(r.Events, Event{Type: EventRead, At: at, UserUUID: userOf(stranger), PartyUUID: stranger})
		}
	case 2: // an empty file
		for i := range r.Attachments {
			r.Attachments[i].Size = 0
			r.Attachments[i].ID += "-empty"
		}
	default: // a checksum that is not that of the file
		for i := range r.Attachments {
			r.Attachments[i].MD5 = "d41d8cd98f00b204e9800998ecf8427e"
			r.Attachments[i].ID += "-wrong"
		}
	}
}

// Generate makes messages up, and tells what they need. What is there stays; ids go on
// after the highest one.
func (s *Store) Generate(options Options) (Totals, World, error) {
	options, err := options.completed(s.now())
	if err != nil {
		return Totals{}, World{}, fmt.Errorf("generate messages: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := newAuthor(options, s.nextID())
	out := Totals{Messages: options.Messages, From: options.From, To: options.To, Resources: len(a.services)}
	added := make([]*row, 0, options.Messages)
	for n := range uint32(options.Messages) { //nolint:gosec // bounded by maxMessages
		r := a.record(n)
		added = append(added, &row{id: r.ID, created: r.Created.UnixMicro(), changed: r.ChangedAt.UnixMicro(), author: a, number: n})
		if r.Deletion == DeletionPurged {
			out.Purged++
		}
		if r.Recipient.Deceased {
			out.Deceased++
		}
	}
	slices.SortStableFunc(added, func(x, y *row) int { return int(min(max(x.changed-y.changed, -1), 1)) })
	for _, r := range added {
		s.seq++
		r.seq = s.seq
		s.rows[r.id] = r
		s.byCreated = append(s.byCreated, r)
		s.changes = append(s.changes, change{r.seq, r})
	}
	s.sortedTo = 0
	s.sortCreated()
	return out, World{a.organisations(), a.resources()}, nil
}
