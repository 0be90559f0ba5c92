package live

import (
	"context"
	"time"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/delivery"
)

// Intake is a way that commands come in by.
type Intake string

// Intakes.
const (
	// IntakeBus is the Service Bus queue on which Storage announces every change (Storage reference 13, 14).
	IntakeBus Intake = "bus"
	// IntakeWebhook is the endpoint that Altinn Events pushes to (Storage reference 15).
	IntakeWebhook Intake = "webhook"
	// IntakeCommand is the sync command over HTTP (Storage reference 14).
	IntakeCommand Intake = "command"
	// IntakeAnew is our own word on a form that another instance now has the archive reference of (Storage reference 12.3).
	IntakeAnew Intake = delivery.IntakeAnew
)

// Command says that an instance may have changed. It holds no content: the source is read (Invariant 3).
type Command struct {
	ID altinn.InstanceID
	// AppID is `org/app`.
	AppID string
	// Created is the instance's creation time; zero when the sender did not say.
	Created time.Time
	// Migration: what it gives is written silently (Invariant 10).
	Migration bool
	Intake    Intake
}

// Accepter takes commands in. Accept returns nil only after they are committed in PostgreSQL (Invariant 1); what it refuses
// may be sent again.
type Accepter interface {
	Accept(ctx context.Context, commands ...Command) error
}
