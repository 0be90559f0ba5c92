package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/generator"
)

const (
	headerTimeout   = 10 * time.Second
	shutdownTimeout = 10 * time.Second
)

// serve makes the world, listens, and stops when the context ends: running requests are finished first.
func serve(ctx context.Context, out, progress io.Writer, address string, options altinnsim.Options, generate generator.Options,
	moving moving, bus bus,
) error {
	sim, err := altinnsim.New(options)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer sim.Close()
	if err := fill(sim, generate, progress); err != nil {
		return err
	}
	if err := bus.listen(ctx, sim, progress); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", address, err)
	}
	server := &http.Server{Handler: sim.Handler(), ReadHeaderTimeout: headerTimeout}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if _, err := fmt.Fprintf(out, "altinnsim listening on http://%s\n", listener.Addr()); err != nil {
		return errors.Join(fmt.Errorf("print the address: %w", err), server.Close())
	}
	if err := moving.begin(sim, progress); err != nil { //nolint:contextcheck // the world moves until it is stopped
		return errors.Join(err, server.Close())
	}
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		return errors.Join(fmt.Errorf("stop: %w", err), server.Close())
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// fill makes up the world that was asked for.
func fill(sim *altinnsim.Sim, generate generator.Options, progress io.Writer) error {
	if generate.Instances == 0 && generate.Monster == nil && (generate.Messages == nil || generate.Messages.Messages == 0) {
		return nil
	}
	began := time.Now()
	totals, err := sim.Generate(generate)
	if err != nil {
		return fmt.Errorf("make the world: %w", err)
	}
	_, err = fmt.Fprintf(progress, "made %d instances of %d service owners from %s to %s in %s\n", totals.Instances, len(totals.ByOrg),
		totals.From.Format(time.RFC3339), totals.To.Format(time.RFC3339), time.Since(began).Round(time.Millisecond))
	if m := totals.Messages; m != nil && err == nil {
		_, err = fmt.Fprintf(progress, "made %d messages from %s to %s\n", m.Messages, m.From.Format(time.RFC3339), m.To.Format(time.RFC3339))
	}
	if err != nil {
		return fmt.Errorf("report progress: %w", err)
	}
	return nil
}
