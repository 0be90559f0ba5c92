package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/servicebus"
)

// bus are the flags of the service bus.
type bus struct {
	address string
	queue   string
	key     string
	lock    time.Duration
}

func (b *bus) addFlags(f *pflag.FlagSet) {
	f.StringVar(&b.address, "servicebus-addr", "", "address of an AMQP 1.0 peer that plays Azure Service Bus; default: none")
	f.StringVar(&b.queue, "servicebus-queue", servicebus.DefaultQueue, "its queue, which sync commands of changes in Storage go to")
	f.StringVar(&b.key, "servicebus-key", servicebus.DefaultKey, "its shared access key; the key's name is "+servicebus.DefaultKeyName)
	f.DurationVar(&b.lock, "servicebus-lock", servicebus.DefaultLockDuration, "how long a received message is locked, at most 5m")
}

func (b *bus) options(seed uint64) servicebus.Options {
	return servicebus.Options{Key: b.key, Seed: seed, Queues: []servicebus.QueueOptions{{Name: b.queue, LockDuration: b.lock}}}
}

// listen lets AMQP clients in, when that is asked for, and tells what they are configured with.
func (b *bus) listen(ctx context.Context, sim *altinnsim.Sim, progress io.Writer) error {
	if b.address == "" {
		return nil
	}
	server, err := sim.ListenServiceBus(ctx, b.address)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	const told = "service bus listening on amqp://%s\n" +
		"  DIALOGSYNC_SERVICEBUS_CONNECTION='%s'\n  DIALOGSYNC_SERVICEBUS_QUEUE='%s'\n"
	_, err = fmt.Fprintf(progress, told, server.Addr(), server.ConnectionString(), b.queue)
	if err != nil {
		return fmt.Errorf("report progress: %w", err)
	}
	return nil
}
