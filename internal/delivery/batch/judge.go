package batch

import (
	"fmt"
	"time"

	"github.com/altinn/dialogsync/internal/delivery"
	"github.com/altinn/dialogsync/internal/transport"
)

// Tries is how often an item is tried within a page, on top of the short retries within a call.
const Tries = 3

// Judge decides who is to blame for items that fail: they themselves, or the systems (Invariant 8).
type Judge struct {
	Health []HealthCheck
	// Alike is the memory of the stream, shared by all that work in it.
	Alike *Alike
	// MaxFailureShare is the share of the last items that may fail alike before the stream stops itself.
	MaxFailureShare float64
}

// Judged is a row of a page, as its judge sees it.
type Judged interface {
	// Cause is why the row failed; nil when it did not, or nothing is to be said of it.
	Cause() *delivery.Failure
	// Undecided tells that the row has no outcome because of its failure.
	Undecided() bool
	// TakeBack takes an outcome back: the item is not to blame.
	TakeBack(cause *delivery.Failure)
	// GiveUp makes the failure the row's outcome. readAt is the database's time before it was read.
	GiveUp(cause delivery.Failure, readAt time.Time)
}

// Fault is whose a failure is.
type Fault int

// Faults.
const (
	// FaultUnknown: nobody can tell yet.
	FaultUnknown Fault = iota
	// FaultOfItem: it is the item's own.
	FaultOfItem
	// FaultOfSystem: a system is failing, for the reason given.
	FaultOfSystem
)

// Of tells whose a failure is that repetition has not mended.
func (j *Judge) Of(key string, failure delivery.Failure) (Fault, string) {
	if failure.Class == transport.Systemic {
		return FaultOfSystem, failure.Detail
	}
	j.Alike.Note(key, failure.Reason, !failure.OfItem)
	if IsOfItem(failure) {
		return FaultOfItem, ""
	}
	if reason, failing := j.Failing(); failing && j.Alike.Judge(j.MaxFailureShare).Failed > fewItems {
		return FaultOfSystem, reason
	}
	return FaultUnknown, ""
}

// IsOfItem tells whether a failure is the item's own, whatever state the systems are in.
func IsOfItem(failure delivery.Failure) bool {
	return failure.Class != transport.Systemic && (failure.OfItem || failure.Class == transport.Permanent)
}

// Failing tells which service is failing, if one is.
func (j *Judge) Failing() (reason string, failing bool) {
	for _, health := range j.Health {
		if reason, failing = health.Failing(); failing {
			return reason, true
		}
	}
	return "", false
}

// FailAlike stops the stream when too many of the last items failed for one reason; those of this page that did are taken back, so
// that none is quarantined for it.
func (j *Judge) FailAlike(rows []Judged) (waiting string) {
	v := j.Alike.Judge(j.MaxFailureShare)
	if !v.Tripped {
		return ""
	}
	for _, r := range rows {
		cause := r.Cause()
		if cause == nil || cause.Reason != v.Reason {
			continue // a page without such a failure goes on, whatever happened before
		}
		if waiting == "" {
			waiting = fmt.Sprintf("%d of the last %d items failed alike: %s (for one: %s)", v.Failed, v.Of, v.Reason, cause.Detail)
		}
		r.TakeBack(cause)
	}
	return waiting
}

// Blame gives up the undecided rows that their owner has been held up by for long enough: then the items must be the cause, unless too few
// others went well to tell. It returns the failure of an item that still holds its owner up. hint says what an operator can do.
func (j *Judge) Blame(rows []Judged, longEnough func(i int) bool, hint string, readAt time.Time) (failure string) {
	well := j.Alike.Judge(j.MaxFailureShare).Well
	for i, r := range rows {
		if !well && r.Undecided() && longEnough(i) {
			return r.Cause().Detail + " (too few other items went well lately to blame this one" + hint + ")"
		}
	}
	for i, r := range rows {
		switch {
		case !r.Undecided():
		case longEnough(i):
			r.GiveUp(*r.Cause(), readAt)
		case failure == "":
			failure = r.Cause().Detail
		}
	}
	return failure
}
