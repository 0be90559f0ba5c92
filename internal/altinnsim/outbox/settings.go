package outbox

import (
	"errors"
	"fmt"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/faults"
)

// Settings say how the outbox behaves, and misbehaves. Start from Defaults.
type Settings struct {
	// Enabled is whether changes write rows at all: switched off, those changes are never announced.
	Enabled bool `json:"enabled"`
	// DelayScale multiplies all delays and pauses. 1 is what the real service does, 0 sends at once.
	DelayScale float64 `json:"delayScale"`
	// Lose is the share of rows that are deleted without having been published, which is what a change amounts to that
	// commits between the publishing of an earlier one and the deletion of its row.
	Lose float64 `json:"lose"`
	// Double is the share of rows that are published twice, as after a crash between publishing and deleting.
	Double float64 `json:"double"`
	// Shuffle sends each batch in a random order.
	Shuffle bool `json:"shuffle"`
	// Gap is how long the sender waits between publishing and deleting a row. What changes then is never told.
	Gap faults.Duration `json:"gap"`
	// LeaseGap leaves nobody with the lease for so long, from when it is set; the real service's gaps last up to a
	// minute. It is not scaled.
	LeaseGap faults.Duration `json:"leaseGap"`
}

// Defaults are the real service's settings, without misbehaviour.
func Defaults() Settings { return Settings{Enabled: true, DelayScale: 1} }

func (s Settings) validate() error {
	var faulty []error
	for _, share := range []struct {
		name  string
		value float64
	}{{"lose", s.Lose}, {"double", s.Double}} {
		if !(share.value >= 0 && share.value <= 1) {
			faulty = append(faulty, fmt.Errorf("%s: %g is not a share between 0 and 1", share.name, share.value))
		}
	}
	if s.DelayScale < 0 || s.Gap < 0 || s.LeaseGap < 0 {
		faulty = append(faulty, errors.New("delayScale, gap and leaseGap must not be negative"))
	}
	return errors.Join(faulty...)
}

func (s Settings) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * s.DelayScale)
}
