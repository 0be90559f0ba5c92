// Package cache keeps answers of services for a while: fresh ones are used without asking, stale ones only when asking
// fails. Caches are bounded by a least-recently-used rule and have no goroutines: whoever asks first fetches, and who
// asks for the same in the meantime waits for that answer.
//
// What must not live here: knowledge of any service.
package cache
