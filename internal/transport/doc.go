// Package transport is the HTTP stack under every client of the platform: a row of http.RoundTrippers with one job each
// (design, chapter 4), the table that classifies what comes back, and the sliding record that tells a bad system from a
// bad item (Invariant 8).
//
// It knows nothing of what the requests mean. What must not live here: clients of single services, decisions about
// items, and anything that blocks on PostgreSQL.
package transport
