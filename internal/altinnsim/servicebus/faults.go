package servicebus

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// Effect is what a fault does.
type Effect string

// Effects.
const (
	// EffectRefuse closes a new connection at once.
	EffectRefuse Effect = "refuse"
	// EffectUnauthorized answers a token with 401.
	EffectUnauthorized Effect = "unauthorized"
	// EffectNotFound answers a token and a link with "not found".
	EffectNotFound Effect = "not-found"
	// EffectCut ends the connection without a word instead of delivering a message: the message stays locked.
	EffectCut Effect = "cut"
	// EffectCutBeforeSettling ends the connection when a receiver settles: the message stays locked.
	EffectCutBeforeSettling Effect = "cut-before-settling"
	// EffectCutAfterSettling ends the connection after the settlement was done: its answer is lost.
	EffectCutAfterSettling Effect = "cut-after-settling"
	// EffectDetach ends the link by force instead of delivering a message.
	EffectDetach Effect = "detach"
	// EffectLockLost refuses a settlement: the lock is lost, and the message delivered again.
	EffectLockLost Effect = "lock-lost"
	// EffectSlow delivers later, by Latency.
	EffectSlow Effect = "slow"
	// EffectDouble queues a message twice.
	EffectDouble Effect = "double"
	// EffectBusy refuses a message that is sent: the bus is busy.
	EffectBusy Effect = "busy"
)

func effects() []Effect {
	return []Effect{
		EffectRefuse, EffectUnauthorized, EffectNotFound, EffectCut, EffectCutBeforeSettling, EffectCutAfterSettling, EffectDetach,
		EffectLockLost, EffectSlow, EffectDouble, EffectBusy,
	}
}

// Rule is one way to fail.
type Rule struct {
	Effect Effect `json:"effect"`
	// Queue is the queue's name; empty: all.
	Queue string `json:"queue,omitempty"`
	// Probability is a share; 0 means always.
	Probability float64 `json:"probability,omitempty"`
	// Skip leaves the first n occasions alone.
	Skip int `json:"skip,omitempty"`
	// Count is how often at most; 0: without end.
	Count int `json:"count,omitempty"`
	// LatencyMS is for EffectSlow, in milliseconds.
	LatencyMS int `json:"latencyMs,omitempty"`
	// Struck counts.
	Struck int `json:"struck"`
}

func (r Rule) validate() error {
	for _, effect := range effects() {
		if r.Effect == effect {
			switch {
			case r.Probability < 0 || r.Probability > 1:
				return fmt.Errorf("probability %v is not a share", r.Probability)
			case r.Skip < 0 || r.Count < 0 || r.LatencyMS < 0:
				return fmt.Errorf("a number of rule %q is negative", r.Effect)
			}
			return nil
		}
	}
	return fmt.Errorf("effect %q is none of %v", r.Effect, effects())
}

// faultRules are the rules that hold. A nil one has none.
type faultRules struct {
	mu    sync.Mutex
	roll  *rand.Rand
	rules []Rule
}

func newFaultRules(seed uint64) *faultRules {
	return &faultRules{roll: rand.New(rand.NewPCG(seed, 0x5b))} //nolint:gosec // repeatable on purpose
}

func (f *faultRules) set(rules []Rule) error {
	for i, rule := range rules {
		if err := rule.validate(); err != nil {
			return fmt.Errorf("rule %d: %w", i, err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append([]Rule{}, rules...)
	for i := range f.rules {
		f.rules[i].Struck = 0
	}
	return nil
}

func (f *faultRules) list() []Rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Rule{}, f.rules...)
}

func (f *faultRules) strikes(effect Effect, queue string) bool {
	_, strikes := f.match(effect, queue)
	return strikes
}

// latency is how long a delivery waits.
func (f *faultRules) latency(queue string) time.Duration {
	rule, _ := f.match(EffectSlow, queue)
	return time.Duration(rule.LatencyMS) * time.Millisecond
}

func (f *faultRules) match(effect Effect, queue string) (Rule, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.rules {
		rule := &f.rules[i]
		switch {
		case rule.Effect != effect, rule.Queue != "" && !strings.EqualFold(rule.Queue, queue), rule.Count > 0 && rule.Struck >= rule.Count:
			continue
		case rule.Skip > 0:
			rule.Skip--
			continue
		case rule.Probability > 0 && f.roll.Float64() >= rule.Probability:
			continue
		}
		rule.Struck++
		return *rule, true
	}
	return Rule{}, false
}
