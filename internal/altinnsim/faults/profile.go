package faults

import (
	"fmt"
	"time"
)

// Profiles are the names of ready-made rules, from harmless to hard.
func Profiles() []string { return []string{"gentle", "rough", "storm"} }

// Profile are ready-made rules. None of them loses or spoils data for good: whoever repeats what failed, and looks back
// far enough for late rows, gets everything across.
func Profile(name string) ([]Rule, error) {
	switch name {
	case "gentle":
		return gentle(), nil
	case "rough":
		return rough(), nil
	case "storm":
		return storm(), nil
	}
	return nil, fmt.Errorf("unknown fault profile %q: use one of %s", name, listed(Profiles()))
}

const (
	ms = Duration(time.Millisecond)
	s  = Duration(time.Second)
)

// gentle is a platform on a good day.
func gentle() []Rule {
	return []Rule{
		{Name: "slow", Effect: EffectLatency, Latency: 5 * ms, TailShare: 0.01, Tail: 300 * ms},
		{Name: "errors", Effect: EffectStatus, Probability: new(0.002), RetryAfter: s},
	}
}

// rough is a platform with something the matter everywhere.
func rough() []Rule {
	return []Rule{
		{Name: "slow", Effect: EffectLatency, Latency: 10 * ms, TailShare: 0.03, Tail: s},
		{Name: "bursts", Effect: EffectBurst, Service: "dialogporten", On: 2 * s, Off: 30 * s, Probability: new(0.5)},
		{Name: "throttle", Effect: EffectThrottle, Probability: new(0.01)},
		{Name: "errors", Effect: EffectStatus, Status: 502, Probability: new(0.01)},
		{Name: "lost answers", Effect: EffectStatusAfter, Status: 504, Probability: new(0.005)},
		{Name: "resets", Effect: EffectReset, Probability: new(0.005)},
		{Name: "resets after", Effect: EffectResetAfter, Probability: new(0.005)},
		{Name: "cut off", Effect: EffectTruncate, Probability: new(0.003)},
		{Name: "races", Effect: EffectOverlap, Probability: new(0.01)},
		{Name: "failed reads", Effect: EffectReadFailed, Probability: new(0.005)},
	}
}

// storm is the worst day of the year.
func storm() []Rule {
	return []Rule{
		{Name: "clock", Effect: EffectClockSkew, Service: "storage", Skew: -2 * s},
		{Name: "slow", Effect: EffectLatency, Latency: 20 * ms, TailShare: 0.05, Tail: 3 * s},
		{Name: "capacity", Effect: EffectCapacity, Service: "dialogporten", Rate: 300, Queue: 2 * s},
		{Name: "late rows", Effect: EffectLateRows, Share: new(0.02), Delay: 30 * s},
		{Name: "storage bursts", Effect: EffectBurst, Service: "storage", On: 5 * s, Off: 60 * s},
		{Name: "dialogporten bursts", Effect: EffectBurst, Service: "dialogporten", On: 10 * s, Off: 60 * s},
		{Name: "slow pages", Effect: EffectTimeout, Probability: new(0.02), Latency: s, TailShare: 0.3, Tail: 5 * s, Timeout: 3 * s},
		{Name: "throttle", Effect: EffectThrottle, Probability: new(0.03), RetryAfter: 2 * s},
		{Name: "errors", Effect: EffectStatus, Probability: new(0.03)},
		{Name: "lost answers", Effect: EffectStatusAfter, Status: 502, Probability: new(0.02)},
		{Name: "resets", Effect: EffectReset, Probability: new(0.02)},
		{Name: "resets after", Effect: EffectResetAfter, Probability: new(0.02)},
		{Name: "cut off", Effect: EffectTruncate, Probability: new(0.01)},
		{Name: "rubbish", Effect: EffectMalformed, Probability: new(0.01)},
		{Name: "races", Effect: EffectOverlap, Probability: new(0.05)},
		{Name: "failed reads", Effect: EffectReadFailed, Probability: new(0.02)},
		{Name: "pages again", Effect: EffectRepeatPage, Probability: new(0.05)},
	}
}
