package history

import "github.com/altinn/dialogsync/internal/delivery/batch"

// Accounts are what a walk saw and what became of it, in distinct items.
type Accounts = batch.Accounts

// HealthCheck tells whether a service that deliveries depend on is failing, and how.
type HealthCheck = batch.HealthCheck
