// Package jobs is the work as River sees it: arguments, workers, queues, schedules. It is thin: a worker calls the service
// that knows how, and says what River is to do next.
package jobs
