package live

import (
	"time"

	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/mapping"
)

// Names of reaches. A source's first one makes its watermark; the others list a stretch of the past again.
const (
	// ReachCatchUp follows app instances, a few seconds behind.
	ReachCatchUp = "catch-up"
	// ReachRecent and ReachDay list the last minutes and the last day of app instances again.
	ReachRecent = "recent"
	ReachDay    = "day"
	// ReachBatch follows archived forms, a batch at a time.
	ReachBatch = "batch"
	// ReachDays and ReachMonths list the last days and months of archived forms again.
	ReachDays   = "days"
	ReachMonths = "months"
	// ReachDue brings messages over that are owed a delivery: those put off, and those to be looked at again. What follows the changes
	// of messages is a ReachBatch too.
	ReachDue = "due"
	// reachSecondLook goes over what was recorded some minutes ago.
	reachSecondLook = "second-look"
	// reachHistoryLook does so with what history made.
	reachHistoryLook = "history-look"
)

// Reach is one way of polling a source.
type Reach struct {
	Source ledger.Source
	Name   string
	// Span is how far back every run lists anew; 0: it goes on from the position of the run before.
	Span time.Duration
	// Overlap is how far before its position a run begins.
	Overlap time.Duration
	// Settle is how long before now a run ends.
	Settle time.Duration
	// Grace is how long an item is left to the intakes; 0: not at all.
	Grace time.Duration
	// Every is how often a run is begun, for reaches without a schedule.
	Every time.Duration
	// Schedule is when a run is begun, in cron's five fields, UTC.
	Schedule string
	// Orgs is how many organisations are walked at once, Items how many items of each are delivered at once.
	Orgs, Items int

	walk walk
}

// walk is how a reach goes over its source.
type walk int

const (
	// overOrgs goes through each organisation by time.
	overOrgs walk = iota
	// overChanges goes through all changes of messages by their number.
	overChanges
	// overDue takes up messages that are to be delivered again.
	overDue
)

// Defaults of PollConfig.
const (
	DefaultCatchUpEvery   = 10 * time.Second
	DefaultCatchUpOverlap = time.Minute
	DefaultGrace          = 90 * time.Second
	DefaultRecentSpan     = 15 * time.Minute
	DefaultDaySpan        = 24 * time.Hour
	DefaultBatchOverlap   = 6 * time.Hour
	DefaultDaysSpan       = 3 * 24 * time.Hour
	DefaultMonthsSpan     = 92 * 24 * time.Hour
	DefaultChangesOverlap = time.Hour
	DefaultDueEvery       = 15 * time.Second

	defaultPollPage  = 500
	defaultPollLease = 30 * time.Second
	defaultPollRest  = 15 * time.Second
	defaultPollTurn  = 3 * time.Minute
	defaultPollOrgs  = 8
	defaultPollItems = 16
	defaultSweepOrgs = 2
	defaultSweepItem = 4

	catchUpSettle = 2 * time.Second
	batchSettle   = 10 * time.Second
)

// PollConfig says how far back polls look, and how often.
type PollConfig struct {
	// Worker names this process in the rows it holds.
	Worker string
	// Intakes: events come in, so that an item younger than Grace is left to them.
	Intakes bool
	Grace   time.Duration // default 90 s

	CatchUpEvery   time.Duration // default 10 s
	CatchUpOverlap time.Duration // default 1 min
	RecentSpan     time.Duration // default 15 min, every 5 min
	DaySpan        time.Duration // default 1 day, every hour
	BatchOverlap   time.Duration // default 6 h, every 5 min
	DaysSpan       time.Duration // default 3 days, every hour
	MonthsSpan     time.Duration // default 92 days, every night

	// Messages: those of Altinn 2 are kept current too.
	Messages bool
	// ChangesOverlap is how far before a time the walk over changes of messages begins where it has no cursor: when live begins, and
	// when the export refuses the one on record. Default 1 h.
	ChangesOverlap time.Duration
	// DueEvery is how often messages are looked for that are to be delivered again; default 15 s.
	DueEvery time.Duration

	// PageSize is the rows asked of Storage or of the export at a time; default 500.
	PageSize int
	// Concurrency is the items of one organisation delivered at once; default 16, a quarter of it for stretches listed again.
	Concurrency int
	// Lease is how long a reach stays held when its run is not heard of; default 30 s.
	Lease time.Duration
	// Rest is how long to wait before a failing system is tried again; default 15 s.
	Rest time.Duration
	// TurnTime is how long a run works before its job gives its slot back; default 3 min, at most 4.
	TurnTime time.Duration
	// MaxFailureShare is the share of the last items that may fail alike before a stream stops itself; default 0.5.
	MaxFailureShare float64
}

func (c PollConfig) withDefaults() PollConfig {
	orElse(&c.Grace, DefaultGrace)
	orElse(&c.CatchUpEvery, DefaultCatchUpEvery)
	orElse(&c.CatchUpOverlap, DefaultCatchUpOverlap)
	orElse(&c.RecentSpan, DefaultRecentSpan)
	orElse(&c.DaySpan, DefaultDaySpan)
	orElse(&c.BatchOverlap, DefaultBatchOverlap)
	orElse(&c.DaysSpan, DefaultDaysSpan)
	orElse(&c.MonthsSpan, DefaultMonthsSpan)
	orElse(&c.ChangesOverlap, DefaultChangesOverlap)
	orElse(&c.DueEvery, DefaultDueEvery)
	orElse(&c.PageSize, defaultPollPage)
	orElse(&c.Concurrency, defaultPollItems)
	orElse(&c.Lease, defaultPollLease)
	orElse(&c.Rest, defaultPollRest)
	orElse(&c.TurnTime, defaultPollTurn)
	orElse(&c.MaxFailureShare, defaultMaxFailureShare)
	c.TurnTime = min(c.TurnTime, maxPollTurn)
	if !c.Intakes {
		c.Grace = 0
	}
	return c
}

const (
	defaultMaxFailureShare = 0.5
	// maxPollTurn is the longest a run may work; jobs time out just above it.
	maxPollTurn = 4 * time.Minute
)

func orElse[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// Reaches are all ways of polling, a source's first one first.
func (c PollConfig) Reaches() []Reach {
	c = c.withDefaults()
	few := max(c.Concurrency*defaultSweepItem/defaultPollItems, 1)
	reaches := []Reach{
		{
			Source: ledger.A3AppInstances, Name: ReachCatchUp, Overlap: c.CatchUpOverlap, Settle: catchUpSettle, Grace: c.Grace,
			Every: c.CatchUpEvery, Orgs: defaultPollOrgs, Items: c.Concurrency,
		},
		{
			Source: ledger.A3AppInstances, Name: ReachRecent, Span: c.RecentSpan, Settle: catchUpSettle + c.Grace,
			Schedule: "2-59/5 * * * *", Orgs: defaultSweepOrgs, Items: few,
		},
		{
			Source: ledger.A3AppInstances, Name: ReachDay, Span: c.DaySpan, Settle: catchUpSettle + c.Grace,
			Schedule: "41 * * * *", Orgs: defaultSweepOrgs, Items: few,
		},
		{
			Source: ledger.A2ArchivedForms, Name: ReachBatch, Overlap: c.BatchOverlap, Settle: batchSettle,
			Schedule: "*/5 * * * *", Orgs: defaultPollOrgs, Items: c.Concurrency,
		},
		{
			Source: ledger.A2ArchivedForms, Name: ReachDays, Span: c.DaysSpan, Settle: batchSettle,
			Schedule: "23 * * * *", Orgs: defaultSweepOrgs, Items: few,
		},
		{
			Source: ledger.A2ArchivedForms, Name: ReachMonths, Span: c.MonthsSpan, Settle: batchSettle,
			Schedule: "11 1 * * *", Orgs: defaultSweepOrgs, Items: few,
		},
	}
	if !c.Messages {
		return reaches
	}
	return append(reaches,
		Reach{Source: ledger.A2Correspondence, Name: ReachBatch, Overlap: c.ChangesOverlap, Schedule: "*/5 * * * *", walk: overChanges},
		Reach{Source: ledger.A2Correspondence, Name: ReachDue, Every: c.DueEvery, walk: overDue})
}

// FirstReach is the one that a source's live watermark is made of.
func FirstReach(source ledger.Source) string {
	if source == ledger.A3AppInstances {
		return ReachCatchUp
	}
	return ReachBatch
}

// follows tells whether runs go on from one another's position.
func (r Reach) follows() bool { return r.Span == 0 && r.walk != overDue }

// item is how the reach's items are delivered: forms silently, as their message on the bus says too, app instances never
// (Storage reference 14). age is how long ago the item changed.
func (r Reach) item(age time.Duration) delivery.Item {
	if r.Source == ledger.A2ArchivedForms {
		return delivery.Item{Source: r.Source, Migration: true, Attempt: mapping.MaxPDFWaitAttempts + 1}
	}
	return delivery.Item{Source: r.Source, Attempt: attemptAt(age)}
}

// attemptAt is the number of a delivery by the item's age: a submission waits for its PDF for about a minute, as tries after
// 1, 5 and 20 s and their work take (Storage reference 19).
func attemptAt(age time.Duration) int {
	const second, third, fourth = 5 * time.Second, 20 * time.Second, 60 * time.Second
	switch {
	case age < second:
		return 1
	case age < third:
		return 2
	case age < fourth:
		return 3
	}
	return mapping.MaxPDFWaitAttempts + 1
}

// leaves tells whether an item of this age is left to the intakes.
func (r Reach) leaves(age time.Duration) bool { return age < r.Grace }

// again tells whether what the ledger has of an item is to be delivered again, although it is the version listed. What failed is
// in quarantine: stretches listed again try it too, since what it lacked may be there by now.
func (r Reach) again(known ledger.Outcome) bool { return known == ledger.Failed && !r.follows() }
