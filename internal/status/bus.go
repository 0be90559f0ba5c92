package status

import (
	"context"
	"fmt"
	"time"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/telemetry"
)

// busTrouble says which of the living workers take nothing in from the bus, since when and why; empty when all that should do.
func busTrouble(ctx context.Context, q *db.Queries, living int64) (string, error) {
	troubled, err := q.BusTroubles(ctx, stream.Alive)
	if err != nil {
		return "", fmt.Errorf("read how the bus is: %w", err)
	}
	if len(troubled) == 0 {
		return "", nil
	}
	first := &troubled[0]
	const text = "bus: nothing comes in since %s (%d of %d workers): %s"
	return fmt.Sprintf(text, first.Since.UTC().Format(time.RFC3339), len(troubled), max(living, int64(len(troubled))),
		telemetry.Redact(first.Trouble)), nil
}

// joinReasons puts what is wrong with a stream that runs nonetheless into one text.
func joinReasons(one, other string) string {
	if one == "" || other == "" {
		return one + other
	}
	return one + "; " + other
}
