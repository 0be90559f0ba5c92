package history

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/stream"
)

// Stages of the history of messages, as they are ordered.
const (
	StageTransfer = stream.Transfer
	StagePublish  = stream.Publish
	StageBoth     = "both"
)

// Stages are those that can be ordered.
func Stages() []string { return []string{StageTransfer, StagePublish, StageBoth} }

// WholeSource stands in an organisation's place where a source is walked as a whole: messages are not listed by organisation. Queries
// name it too.
const WholeSource = "all"

// Sources are those whose history this engine walks.
func Sources() []ledger.Source {
	return append([]ledger.Source{ledger.A2Correspondence}, InstanceSources()...)
}

// InstanceSources are those of them that are instances in Storage.
func InstanceSources() []ledger.Source {
	return []ledger.Source{ledger.A2ArchivedForms, ledger.A3AppInstances}
}

// Streams are the history streams of those sources.
func Streams() []stream.Stream {
	return slices.DeleteFunc(stream.Streams(), func(s stream.Stream) bool { return !s.IsHistory() })
}

func sourcesText() string {
	var names []string
	for _, source := range Sources() {
		names = append(names, string(source))
	}
	return strings.Join(names, ", ")
}

// directions are the streams that an order makes backfills in. Given messages are brought over completely, in one go, unless they are
// to be transferred only.
func (o *Order) directions() []string {
	switch {
	case o.Source != ledger.A2Correspondence:
		return stream.HistoryOf(o.Source)
	case o.Redo:
		return []string{stream.Publish} // all the way, wherever a message is on it
	case o.Stage == StageTransfer, o.Stage == StagePublish:
		return []string{o.Stage}
	case len(o.Items) > 0:
		return []string{stream.Publish}
	default:
		return stream.HistoryOf(o.Source)
	}
}

func (o *Order) validateStage() error {
	if o.Source != ledger.A2Correspondence {
		if o.Stage != "" {
			return &OrderError{"--stage is for " + string(ledger.A2Correspondence) + ": other sources have one history"}
		}
		return nil
	}
	if o.Stage == "" {
		o.Stage = StageBoth
	}
	if !slices.Contains(Stages(), o.Stage) {
		return &OrderError{fmt.Sprintf("--stage %q is none of %s", o.Stage, strings.Join(Stages(), ", "))}
	}
	if len(o.Orgs) > 0 && len(o.Items) == 0 {
		return &OrderError{"--org is not for messages: Altinn 2 lists them by time alone, and a window is a day of all of them; leave it out"}
	}
	return nil
}

// validateNumbers checks given messages.
func (o *Order) validateNumbers() error {
	numbers := make([]int32, len(o.Items))
	for i, key := range o.Items {
		var err error
		if numbers[i], err = message.ParseKey(strings.TrimSpace(key)); err != nil {
			return &OrderError{fmt.Sprintf("--item number %d: %v", i+1, err)}
		}
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	o.Items = o.Items[:0]
	for _, number := range numbers {
		o.Items = append(o.Items, message.Key(number))
	}
	return nil
}

// followTransfer refuses publish of what nobody has transferred or ordered to be. Transfer was ordered up to some minutes before its own
// time, and publish of the same days ends there too.
func (o *Order) followTransfer(ctx context.Context, q *db.Queries) error {
	if o.Source != ledger.A2Correspondence || o.Stage != StagePublish && !o.Redo || len(o.Items) > 0 {
		return nil
	}
	missing, err := q.NotTransferred(ctx, db.NotTransferredParams{Source: o.Source, FromTime: o.Range.From, ToTime: o.Range.To})
	if err != nil {
		return fmt.Errorf("see what is transferred: %w", err)
	}
	if len(missing) > 0 && missing[0].ToTime.Equal(o.Range.To) && missing[0].ToTime.Sub(missing[0].FromTime) < Day &&
		missing[0].FromTime.After(o.Range.From) && !isDay(missing[0].FromTime) {
		o.Range.To, missing = missing[0].FromTime.UTC(), missing[1:]
	}
	if len(missing) == 0 {
		return nil
	}
	return &OrderError{fmt.Sprintf(
		"publish follows transfer, and %s is neither transferred nor ordered to be: order both with --stage both, or transfer first",
		Range{From: missing[0].FromTime, To: missing[0].ToTime})}
}

func isDay(t time.Time) bool { return t.Equal(t.Truncate(Day)) }
