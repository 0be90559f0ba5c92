// Command demo runs the main job from end to end with real parts: PostgreSQL, the simulated platform and two workers, each a
// process of its own. It makes up the history of three sources and has it brought over newest day first, while new things keep
// happening and are brought over within seconds; it shows the watermarks as they move, and proves at the end, item by item, that
// nothing is missing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

type options struct {
	items, messages, days int
	seed                  uint64
	orgs                  int
	workers               int
	rate, messageRate     float64
	latency               time.Duration
	bin                   string
	logs                  string
}

func main() {
	var o options
	flag.IntVar(&o.items, "items", 20_000, "instances to make up: A3 app instances and archived A2 and A1 forms")
	flag.IntVar(&o.messages, "messages", 5000, "messages of Altinn 2 to make up")
	flag.IntVar(&o.days, "days", 90, "days that they are spread over")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the made-up world")
	flag.IntVar(&o.orgs, "orgs", 6, "organisations")
	flag.IntVar(&o.workers, "workers", 2, "worker processes")
	flag.Float64Var(&o.rate, "rate", 40, "things that happen to instances in a second while history is brought over")
	flag.Float64Var(&o.messageRate, "message-rate", 10, "things that happen to messages in a second")
	flag.DurationVar(&o.latency, "latency", 0, "how long every service waits before it answers")
	flag.StringVar(&o.bin, "bin", "", "folder with dialogsync and altinnsim; default: they are built")
	flag.StringVar(&o.logs, "logs", "", "folder to keep the processes' logs in; default: a throw-away one")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo failed: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	began := time.Now()
	dir, err := os.MkdirTemp("", "dialogsync-demo-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.logs == "" {
		o.logs = dir
	} else if err := os.MkdirAll(o.logs, 0o755); err != nil { //nolint:gosec // logs that the caller asked for
		return fmt.Errorf("make the folder of logs: %w", err)
	}
	if o.bin == "" {
		o.bin = filepath.Join(dir, "bin")
		if err := build(ctx, o.bin); err != nil {
			return err
		}
	}
	d := &demo{options: o}
	defer d.end()
	if err := d.story(ctx); err != nil {
		return err
	}
	sayf("\nDone in %s: every item of all three sources is accounted for, in the ledger and in Dialogporten.",
		time.Since(began).Round(time.Second))
	return nil
}
