// Package stream is a source in one direction as operators handle it: paused, resumed, throttled, and what it says of itself.
// The table stream holds it, so that a word once said survives restarts; a Gate brings it to every worker process within two
// seconds. How work is done in a stream is not known here, nor how history is held back for live: that is package throttle.
package stream
