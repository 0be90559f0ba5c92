package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/throttle"
)

const (
	// EventPromise is how far behind a stream that is told by events may be.
	EventPromise = throttle.DefaultPromise
	// BatchPromise is how far behind a stream of batches may be: one is begun every 5 minutes and may take as long.
	BatchPromise = 10 * time.Minute
	// leftToEvents is how far the poll behind events may be without anything being late: it leaves what is new to them.
	leftToEvents = 3 * time.Minute
)

// Lag is how far a live stream is behind.
type Lag struct {
	Source ledger.Source
	// Stopped by an operator or by itself: the lag is nobody else's doing.
	Stopped bool
	// Event is the age of the oldest event that no delivery was tried of; 0 when all were.
	Event time.Duration
	// Waiting is the age of the oldest event that no worker has begun to deliver; 0 when there is none.
	Waiting time.Duration
	// Watermark is how long ago the live watermark was; negative when there is none. Held: by organisations that cannot be polled.
	Watermark time.Duration
	Held      bool
}

// Behind is the lag as people are told it: by events where they tell of changes within seconds, as long as the poll that finds
// what they do not tell keeps up; by the watermark where batches do. False when nothing was ever done in the stream.
func (l Lag) Behind() (time.Duration, bool) {
	if l.Watermark < 0 {
		return l.Event, l.Event > 0
	}
	if l.Source == ledger.A3AppInstances && l.Watermark <= leftToEvents {
		return l.Event, true
	}
	return max(l.Event, l.Watermark), true
}

// ReadLags reads how far the live streams are behind.
func ReadLags(ctx context.Context, conn db.DBTX) ([]Lag, error) {
	rows, err := db.New(conn).LiveLags(ctx)
	if err != nil {
		return nil, fmt.Errorf("read lags of live streams: %w", err)
	}
	lags := make([]Lag, 0, len(rows))
	for _, r := range rows {
		lags = append(lags, Lag{
			Source: r.Source, Stopped: r.Paused || r.Waiting, Event: inSeconds(r.EventS), Waiting: inSeconds(r.WaitingS),
			Watermark: inSeconds(r.WatermarkS), Held: r.Failing,
		})
	}
	return lags, nil
}

// LiveLags is throttle.Config.Live: the lags that history can help by yielding. Streams that stand still are left out, and
// watermarks that an organisation holds whose polls fail.
func (g *Gate) LiveLags(ctx context.Context) ([]throttle.Lag, error) {
	lags, err := ReadLags(ctx, g.config.Pool)
	if err != nil {
		return nil, err
	}
	var found []throttle.Lag
	for _, l := range lags {
		if l.Stopped {
			continue
		}
		found = append(found, throttle.Lag{Behind: l.Waiting, Promise: EventPromise})
		if !l.Held {
			found = append(found, throttle.Lag{Behind: l.Watermark, Promise: BatchPromise})
		}
	}
	return found, nil
}

func inSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
