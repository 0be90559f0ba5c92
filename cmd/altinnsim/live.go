package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/live"
	"github.com/altinn/dialogsync/internal/altinnsim/outbox"
)

// moving are the flags of live mode and of the outbox.
type moving struct {
	live     live.Settings
	messages altinn2.LiveSettings
	outbox   outbox.Settings

	shares, forms                         string
	until, after, late, skew, removeAfter time.Duration
	syncCommandURL, syncCommandToken      string
}

func newMoving() moving {
	m := moving{live: live.Defaults(), outbox: outbox.Defaults()}
	m.after, m.late, m.skew = time.Duration(m.live.After), time.Duration(m.live.Late), time.Duration(m.live.Skew)
	m.removeAfter = time.Duration(m.live.RemoveAfter)
	return m
}

func (m *moving) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&m.outbox.Enabled, "outbox", m.outbox.Enabled, "changes in Storage are announced")
	f.Float64Var(&m.outbox.DelayScale, "outbox-delay-scale", m.outbox.DelayScale, "multiply the outbox's delays and pauses; 0 sends at once")
	f.StringVar(&m.syncCommandURL, "sync-command-url", "", "post sync commands to this URL, a consumer's syncDialog route")
	f.StringVar(&m.syncCommandToken, "sync-command-token", "", "bearer token that goes with them")
	f.Float64Var(&m.live.Rate, "live-rate", 0, "so many things happen a second; 0: nothing does")
	f.Float64Var(&m.messages.Rate, "live-message-rate", 0, "so many things happen to messages a second; 0: nothing does")
	f.StringVar(&m.shares, "live-shares", "", "weights of what happens, such as create=1,softDelete=0.2; others keep theirs")
	f.StringVar(&m.forms, "live-forms", "", "weights of how old arriving forms are: minutes, hours, days, years")
	f.DurationVar(&m.until, "live-for", 0, "and ends after so long; 0: when it is stopped")
	f.Float64Var(&m.live.Recent, "live-recent", m.live.Recent, "share of changes to what was touched lately")
	f.DurationVar(&m.after, "live-after", m.after, "receipts, and what is missing of forms, come within this")
	f.Float64Var(&m.live.Incomplete, "live-incomplete", m.live.Incomplete, "share of forms that arrive in two parts")
	f.DurationVar(&m.removeAfter, "live-remove-after", m.removeAfter, "hard-deleted instances stay so long at least")
	f.Float64Var(&m.live.LateShare, "live-late-share", 0, "share of changes that are seen later than their lastChanged")
	f.DurationVar(&m.late, "live-late", m.late, "by up to this")
	f.Float64Var(&m.live.SkewShare, "live-skew-share", 0, "share of changes whose lastChanged is wrong")
	f.DurationVar(&m.skew, "live-skew", m.skew, "by up to this")
}

// parse finishes the settings.
func (m *moving) parse(note func(flag string, err error)) {
	note("live-shares", weights(m.shares, m.live.Shares))
	note("live-forms", weights(m.forms, m.live.Forms))
	for to, from := range map[*faults.Duration]time.Duration{
		&m.live.For: m.until, &m.live.After: m.after, &m.live.RemoveAfter: m.removeAfter, &m.live.Late: m.late, &m.live.Skew: m.skew,
	} {
		*to = faults.Duration(from)
	}
	note("live-rate", m.live.Validate())
}

// weights reads name=weight, separated by commas, into what is there already.
func weights[T ~string](text string, into map[T]float64) error {
	if text == "" {
		return nil
	}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if _, ok := into[T(name)]; !ok && name != string(live.DeleteForm) && name != string(live.Vanish) {
			return fmt.Errorf("%q is none of %v", name, slices.Sorted(maps.Keys(into)))
		}
		weight, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("%s: %q is not a number", name, value)
		}
		into[T(name)] = weight
	}
	return nil
}

// begin starts live mode, if it was asked for.
func (m *moving) begin(sim *altinnsim.Sim, progress io.Writer) error {
	if m.messages.Rate > 0 {
		if err := sim.Altinn2.Live.Set(m.messages); err != nil {
			return fmt.Errorf("start changes of messages: %w", err)
		}
		if _, err := fmt.Fprintf(progress, "%g things happen to messages a second, until it is stopped\n", m.messages.Rate); err != nil {
			return fmt.Errorf("report progress: %w", err)
		}
	}
	if m.live.Rate == 0 {
		return nil
	}
	if err := sim.Live.Set(m.live); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	until := "until it is stopped"
	if m.until > 0 {
		until = "for " + m.until.String()
	}
	if _, err := fmt.Fprintf(progress, "%g things happen a second, %s\n", m.live.Rate, until); err != nil {
		return fmt.Errorf("report progress: %w", err)
	}
	return nil
}
