package servicebus

import (
	"errors"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/telemetry"
)

// Reasons why nothing comes in from the bus: stable codes.
const (
	// ReasonConnecting: the first connection is being made.
	ReasonConnecting = "connecting"
	// ReasonUnauthorized: the bus refuses the key.
	ReasonUnauthorized = "unauthorized"
	// ReasonQueueMissing: there is no such queue.
	ReasonQueueMissing = "queue_missing"
	// ReasonQueueDisabled: the queue is switched off.
	ReasonQueueDisabled = "queue_disabled"
	// ReasonUnreachable: the bus does not answer, or the connection was lost.
	ReasonUnreachable = "unreachable"
	// ReasonNotAccepted: commands came, and could not be committed.
	ReasonNotAccepted = "not_accepted"
	// ReasonStopped: Run has not begun or has ended.
	ReasonStopped = "stopped"
)

// State is how the intake is, for status and readiness.
type State struct {
	// Reason is empty when commands come in and are committed.
	Reason string
	// NextStep tells an operator what to look at; empty when nothing is wrong.
	NextStep string
	// Since is when it became so, UTC.
	Since time.Time
	// LastReceived is when the last message came, UTC; zero: none since the start.
	LastReceived time.Time
}

// Bus tells how the intake is to whoever looks at the worker from outside.
func (r *Receiver) Bus() stream.Bus {
	s := r.State()
	switch s.Reason {
	case "":
		return stream.Bus{Configured: true, Since: s.Since}
	case ReasonConnecting, ReasonStopped:
		return stream.Bus{}
	}
	return stream.Bus{Configured: true, Trouble: s.Reason + ": " + s.NextStep, Since: s.Since}
}

// Healthy tells that nothing is wrong.
func (s State) Healthy() bool { return s.Reason == "" }

// nextStep is what an operator can do.
func nextStep(reason string) string {
	switch reason {
	case ReasonUnauthorized:
		return "check DIALOGSYNC_SERVICEBUS_CONNECTION: its key must be valid, and have the Listen claim on the queue"
	case ReasonQueueMissing:
		return "check DIALOGSYNC_SERVICEBUS_QUEUE and the namespace in DIALOGSYNC_SERVICEBUS_CONNECTION, or have the queue created"
	case ReasonQueueDisabled:
		return "have the queue enabled for receiving"
	case ReasonUnreachable:
		return "check that the namespace in DIALOGSYNC_SERVICEBUS_CONNECTION can be reached from here on port 5671"
	case ReasonNotAccepted:
		return "see to PostgreSQL; what came is held, and nothing is lost"
	default:
		return ""
	}
}

// reasonOf sorts errors of the SDK.
func reasonOf(err error) string {
	var code azservicebus.Code
	if known, ok := errors.AsType[*azservicebus.Error](err); ok {
		code = known.Code
	}
	var condition amqp.ErrCond
	if remote, ok := errors.AsType[*amqp.Error](err); ok {
		condition = remote.Condition
	}
	switch {
	case code == azservicebus.CodeUnauthorizedAccess, condition == amqp.ErrCondUnauthorizedAccess:
		return ReasonUnauthorized
	case code == azservicebus.CodeNotFound, condition == amqp.ErrCondNotFound:
		return ReasonQueueMissing
	case condition == "com.microsoft:entity-disabled":
		return ReasonQueueDisabled
	}
	return ReasonUnreachable
}

// State tells how the intake is.
func (r *Receiver) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// enter notes a reason, and tells whether it is new.
func (r *Receiver) enter(reason string) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.Reason == reason {
		return false
	}
	r.state.Reason, r.state.NextStep, r.state.Since = reason, nextStep(reason), r.now().UTC()
	return true
}

// receiving notes that the bus answers.
func (r *Receiver) receiving() {
	if r.State().Reason == ReasonNotAccepted {
		return // the bus was not what was wrong
	}
	if r.enter("") {
		r.logger.Info("receiving sync commands from the service bus", zap.String(telemetry.LogKeyQueue, r.config.Queue))
	}
}

// accepting notes that commands are committed again.
func (r *Receiver) accepting() {
	if r.State().Reason != ReasonNotAccepted {
		return
	}
	r.enter("")
	r.logger.Info("sync commands are committed again", zap.String(telemetry.LogKeyQueue, r.config.Queue))
}

// lost notes why nothing is received, and when it is tried again.
func (r *Receiver) lost(err error, wait time.Duration) {
	reason := reasonOf(err)
	r.enter(reason)
	r.logger.Warn("no sync commands from the service bus: "+nextStep(reason), zap.String(telemetry.LogKeyQueue, r.config.Queue),
		zap.String(telemetry.LogKeyReason, reason), zap.String(telemetry.LogKeyError, telemetry.Redact(err.Error())),
		zap.Float64(telemetry.LogKeyNextRetry, wait.Seconds()))
}

// refused notes that commands are not committed. Each batch tries on by itself: it is told once.
func (r *Receiver) refused(err error, n int) {
	if r.enter(ReasonNotAccepted) {
		r.logger.Warn("sync commands cannot be committed: "+nextStep(ReasonNotAccepted), zap.String(telemetry.LogKeyQueue, r.config.Queue),
			zap.String(telemetry.LogKeyReason, ReasonNotAccepted), zap.String(telemetry.LogKeyError, telemetry.Redact(err.Error())),
			zap.Int(telemetry.LogKeyCount, n))
	}
}
