package history

import "time"

// backTo is the watermark of a history stream: from this time on, up to top, every organisation's coverage has no hole
// (Invariant 6). covered has each organisation's closed ranges: disjoint, not adjoining, in any order. top is the newest
// instant that a backfill of every organisation was ordered from; it is part of the promise, so that ordering newer data
// takes the promise back until they are walked. False when there is nothing to promise.
func backTo(covered map[string][]Range, orgs []string, top time.Time) (time.Time, bool) {
	if len(orgs) == 0 || top.IsZero() {
		return time.Time{}, false
	}
	var watermark time.Time
	for _, org := range orgs {
		reached, ok := unbrokenFrom(covered[org], top)
		if !ok {
			return time.Time{}, false
		}
		if reached.After(watermark) {
			watermark = reached
		}
	}
	return watermark, true
}

// unbrokenFrom is the older end of the range that reaches up to top.
func unbrokenFrom(ranges []Range, top time.Time) (time.Time, bool) {
	for _, r := range ranges {
		if r.From.Before(top) && !r.To.Before(top) {
			return r.From, true
		}
	}
	return time.Time{}, false
}
