// Package reconcile puts single items right: it delivers one now and records what came of it, as a stream would.
package reconcile
