package message_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/delivery/batch"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/ledger"
)

// Invariant 9: a page of history that waits for its turn keeps nobody from its messages.
func TestPageThatWaitsForItsTurnLetsOthersAtItsMessages(t *testing.T) {
	t.Parallel()
	for name, stage := range map[string]struct{ publish bool }{"transfer": {}, "publish": {publish: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.generate(t, 6)
			rows := r.listed(t)
			o := newOwner(r)
			carry, order := o.Bring, transferOnly
			if stage.publish {
				_, err := newOwner(r).Bring(t.Context(), rows, transferOnly, newOwner(r).write)
				require.NoError(t, err)
				for i := range rows {
					rows[i] = message.GivenRow(rows[i].Number, rows[i].Created)
				}
				carry, order = o.Publish, message.Order{Lane: message.History}
				o.WindowID = window + 1
			}
			const free = 2
			begun, waiting, goOn := 0, make(chan struct{}), make(chan struct{})
			o.Pace = func(ctx context.Context) error {
				if begun++; begun == free+1 {
					close(waiting)
				}
				if begun > free {
					select {
					case <-ctx.Done():
						return ctx.Err()
					case <-goOn:
					}
				}
				return nil
			}
			o.Admit = func(ctx context.Context) (func(), error) {
				if err := o.Pace(ctx); err != nil {
					return nil, err
				}
				o.admitted.Add(1)
				return func() { o.admitted.Add(-1) }, nil
			}
			var ending batch.Ending
			var err error
			carried := make(chan struct{})
			go func() {
				defer close(carried)
				ending, err = carry(t.Context(), rows, order, o.write)
			}()
			<-waiting

			last := rows[len(rows)-1].Number
			result, liveErr := r.Deliver(t.Context(), last, message.Order{Lane: message.Live})
			require.NoError(t, liveErr)
			assert.NotEqual(t, ledger.Failed, result.Outcome)
			close(goOn)
			<-carried

			require.NoError(t, err)
			assert.Zero(t, ending)
			assert.Equal(t, len(rows), message.SettledPrefix(rows))
			assert.EqualValues(t, len(rows), o.accounts.Seen)
			assert.True(t, o.accounts.Balanced())
			assert.Zero(t, o.admitted.Load())
		})
	}
}
