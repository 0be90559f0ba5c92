package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Read reads a JSON list of rules. A member that no rule has is an error: it would do nothing.
func Read(from io.Reader) ([]Rule, error) {
	var rules []Rule
	if err := readStrictly(from, &rules); err != nil {
		return nil, err
	}
	return rules, nil
}

// ReadOne reads a single rule as Read does.
func ReadOne(from io.Reader) (Rule, error) {
	var rule Rule
	err := readStrictly(from, &rule)
	return rule, err
}

func readStrictly(from io.Reader, into any) error {
	decoder := json.NewDecoder(from)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("read fault rules: %w", err)
	}
	return nil
}

// effects are all effects in the order of the documentation.
func effects() []Effect {
	return []Effect{
		EffectStatus, EffectStatusAfter, EffectBurst, EffectReset, EffectResetAfter, EffectLatency, EffectCapacity,
		EffectThrottle, EffectTruncate, EffectMalformed, EffectShape, EffectOutage, EffectReadFailed, EffectTimeout,
		EffectRepeatPage, EffectMissingPage, EffectVanish, EffectReappear, EffectLateRows, EffectClockSkew, EffectOverlap,
	}
}

// validate finds what is wrong with a rule by itself.
func (r Rule) validate() error {
	switch {
	case !slices.Contains(effects(), r.Effect):
		return fmt.Errorf("unknown effect %q: use one of %s", r.Effect, listed(effects()))
	case r.Status != 0 && (r.Status < 200 || r.Status > 599):
		return fmt.Errorf("status %d does not exist", r.Status)
	case r.Count < 0 || r.Skip < 0:
		return errors.New("count and skip must not be negative")
	}
	if err := errors.Join(share("probability", r.Probability), share("share", r.Share), share("tailShare", &r.TailShare)); err != nil {
		return err
	}
	for name, d := range map[string]Duration{
		"for": r.For, "retryAfter": r.RetryAfter, string(EffectLatency): r.Latency, "tail": r.Tail, "timeout": r.Timeout, "delay": r.Delay,
		"on": r.On, "off": r.Off, "queue": r.Queue,
	} {
		if d < 0 {
			return fmt.Errorf("%s must not be negative", name)
		}
	}
	if err := r.validateMembers(); err != nil {
		return err
	}
	return r.validateEffect()
}

func share(name string, value *float64) error {
	if value != nil && (*value < 0 || *value > 1) {
		return fmt.Errorf("%s %g does not lie between 0 and 1", name, *value)
	}
	return nil
}

// validateMembers refuses members that say nothing about the rule's effect.
func (r Rule) validateMembers() error {
	for _, m := range [...]struct {
		name  string
		given bool
		of    []Effect
	}{
		{"kinds", r.Kinds != nil, []Effect{EffectMalformed, EffectShape}},
		{"members", r.Members != nil, []Effect{EffectShape}},
		{"share", r.Share != nil, []Effect{EffectShape, EffectVanish, EffectReappear, EffectLateRows}},
		{"delay", r.Delay != 0, []Effect{EffectLateRows}},
		{"reads", r.Reads, []Effect{EffectVanish, EffectReappear, EffectLateRows}},
		{"skew", r.Skew != 0, []Effect{EffectClockSkew}},
		{"on", r.On != 0, []Effect{EffectBurst}},
		{"off", r.Off != 0, []Effect{EffectBurst}},
		{"rate", r.Rate != 0, []Effect{EffectCapacity}},
		{"burst", r.Burst != 0, []Effect{EffectCapacity}},
		{"queue", r.Queue != 0, []Effect{EffectCapacity}},
		{"timeout", r.Timeout != 0, []Effect{EffectTimeout}},
		{string(EffectLatency), r.Latency != 0, []Effect{EffectLatency, EffectTimeout}},
		{"tail", r.Tail != 0, []Effect{EffectLatency, EffectTimeout}},
	} {
		if m.given && !slices.Contains(m.of, r.Effect) {
			return fmt.Errorf("%s goes with effect %s, not with %s", m.name, listed(m.of), r.Effect)
		}
	}
	return nil
}

func (r Rule) validateEffect() error {
	switch {
	case r.Effect == EffectCapacity && r.Rate <= 0:
		return errors.New("effect capacity needs a rate above 0, in requests a second")
	case r.Effect == EffectCapacity && r.Burst < 0:
		return errors.New("burst must not be negative")
	case r.Effect == EffectLateRows && r.Delay == 0:
		return errors.New("effect late-rows needs a delay")
	case r.Effect == EffectClockSkew && r.Skew == 0:
		return errors.New("effect clock-skew needs a skew")
	case r.Effect == EffectClockSkew && (r.Method != "" || r.Path != "" || r.Query != "" || r.Probability != nil || r.Count+r.Skip > 0):
		return errors.New("effect clock-skew is about a whole service: only name, service, skew and for go with it")
	}
	known := kindsOf(r.Effect)
	for _, kind := range r.Kinds {
		if !slices.Contains(known, kind) {
			return fmt.Errorf("effect %s has no kind %q: use some of %s", r.Effect, kind, listed(known))
		}
	}
	if missing := slices.Contains(r.Kinds, KindMissingMembers); missing != (len(r.Members) > 0) {
		return errors.New("kind missing-members and a list of members go together")
	}
	return nil
}

func listed[T ~string](names []T) string {
	texts := make([]string, 0, len(names))
	for _, name := range names {
		texts = append(texts, string(name))
	}
	return strings.Join(texts, ", ")
}
