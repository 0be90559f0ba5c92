package events

import (
	"maps"
	"slices"
	"time"
)

// matchKey is what subscriptions are matched by, and matches are cached by (15.3).
type matchKey struct{ resource, subject, kind string }

type cachedMatch struct {
	targets []target
	until   time.Time
}

// maxCached bounds the match cache; a full one begins anew.
const maxCached = 100_000

// match finds where an event is pushed to. The caller holds the lock.
func (s *Service) match(e *stored) []target {
	life := time.Duration(s.settings.MatchCache)
	if life == 0 {
		return s.matchNow(e)
	}
	key, now := matchKey{e.resource, e.subject, e.kind}, s.config.Now()
	if cached, ok := s.cache[key]; ok && now.Before(cached.until) {
		return cached.targets
	}
	if len(s.cache) >= maxCached {
		clear(s.cache)
	}
	targets := s.matchNow(e)
	s.cache[key] = cachedMatch{targets: targets, until: now.Add(life)}
	return targets
}

// matchNow compares exactly; a filter that was left out matches everything, an empty one nothing.
func (s *Service) matchNow(e *stored) []target {
	var out []target
	for _, id := range slices.Sorted(maps.Keys(s.subscriptions)) {
		at := s.subscriptions[id]
		if at.Validated && !at.matchesNothing() && matches(at.ResourceFilter, e.resource) && matches(at.SubjectFilter, e.subject) &&
			matches(at.TypeFilter, e.kind) {
			out = append(out, target{subscription: id, endPoint: at.EndPoint})
		}
	}
	return out
}

func matches(filter *string, value string) bool { return filter == nil || *filter == value }
