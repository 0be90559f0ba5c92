// Package e2e holds tests of dialogsync as it runs: its binary in processes of its own, a real PostgreSQL, and the simulated platform.
// They kill, stop and starve what takes part, and hold what is left to the ground truth.
//
// There is nothing here but tests.
package e2e
