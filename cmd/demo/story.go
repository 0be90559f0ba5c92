package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/ledger"
	"github.com/altinn/dialogsync/internal/postgres"
)

// demo is the parts while they run.
type demo struct {
	options

	chapters int
	rung     time.Time // when batches were begun last
	database *postgres.Server
	url      string // of the database
	pool     *pgxpool.Pool
	sim      *process
	platform string // the simulator's address
	bus      string // how its service bus is connected to
	secret   string // of the webhook
	workers  []*process
	// addresses are those that the workers answer on.
	addresses []string
}

const day = 24 * time.Hour

// story is what the demo does, in order.
func (d *demo) story(ctx context.Context) error {
	newest := time.Now().UTC().Truncate(day) // what has just arrived belongs to live sync
	oldest := newest.AddDate(0, 0, -d.days)
	if err := d.startDatabase(ctx); err != nil {
		return err
	}
	if err := d.startPlatform(ctx, oldest, newest); err != nil {
		return err
	}
	if err := d.startWorkers(ctx); err != nil {
		return err
	}
	if err := d.startLive(ctx); err != nil {
		return err
	}
	history, err := d.bringHistory(ctx, oldest, newest)
	if err != nil {
		return err
	}
	if err := d.stopLive(ctx); err != nil {
		return err
	}
	d.chapterf("Where everything stands: dialogsync status")
	if err := d.dialogsync(ctx, os.Stdout, "status"); err != nil {
		return err
	}
	return d.prove(ctx, history)
}

func (d *demo) startDatabase(ctx context.Context) error {
	d.chapterf("The database")
	var err error
	if d.database, err = postgres.Start(ctx, postgres.Options{Log: indented{os.Stdout}}); err != nil {
		return fmt.Errorf("PostgreSQL: %w", err)
	}
	d.url = d.database.URL("postgres")
	if err := d.dialogsync(ctx, indented{os.Stdout}, "migrate", "up"); err != nil {
		return err
	}
	if d.pool, err = db.Open(ctx, d.url, 2); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

// indented sets lines in.
type indented struct{ to io.Writer }

func (i indented) Write(text []byte) (int, error) {
	for line := range bytes.Lines(text) {
		if _, err := fmt.Fprintf(i.to, "   %s", line); err != nil {
			return 0, fmt.Errorf("write: %w", err)
		}
	}
	return len(text), nil
}

func (d *demo) startWorkers(ctx context.Context) error {
	d.chapterf("%d workers", d.options.workers)
	d.secret = rand.Text()
	for i := range d.options.workers {
		name := fmt.Sprintf("worker-%d", i+1)
		w, err := start(d.bin+"/dialogsync", []string{"worker", "--name", name}, d.environment(), fmt.Sprintf("%s/%s.log", d.logs, name))
		if err != nil {
			return err
		}
		d.workers = append(d.workers, w)
		addr, err := w.awaitLine(ctx, `"listening_addr":"`)
		if err != nil {
			return fmt.Errorf("%s does not start: %w", name, err)
		}
		addr = cut(addr, `"`)
		d.addresses = append(d.addresses, addr)
		factf(name, "http://%s  (/readyz, /metrics, /events)", addr)
	}
	return nil
}

// sources are all that the workers bring over.
func sources() []ledger.Source {
	return []ledger.Source{ledger.A3AppInstances, ledger.A2ArchivedForms, ledger.A2Correspondence}
}

// bringHistory orders the history of all sources and follows it.
func (d *demo) bringHistory(ctx context.Context, oldest, newest time.Time) (past, error) {
	d.chapterf("History, newest day first, at the same time: the watermarks")
	for _, source := range sources() {
		order := []string{
			"backfill", "create", "--source", string(source), "--from", newest.AddDate(0, 0, -1).Format(time.DateOnly),
			"--to", oldest.Format(time.DateOnly), "--reason", "demo", "--yes", "-o", "json",
		}
		if source == ledger.A2Correspondence {
			order = append(order, "--stage", "both")
		}
		if err := d.dialogsync(ctx, io.Discard, order...); err != nil {
			return past{}, err
		}
	}
	return d.watch(ctx)
}

// environment is a product's settings, and none of the caller's own.
func (d *demo) environment() []string {
	settings := append(withoutSettings(os.Environ()),
		"DIALOGSYNC_DATABASE_URL="+d.url, "DIALOGSYNC_ENVIRONMENT=local", "DIALOGSYNC_PLATFORM_URL="+d.platform,
		"DIALOGSYNC_DIALOGPORTEN_URL="+d.platform, "DIALOGSYNC_ALTINN2_URL="+d.platform, "DIALOGSYNC_ALTINN_HOST=tt02.altinn.no",
		"DIALOGSYNC_ADAPTER_URL=https://platform.tt02.altinn.no/storage/dialogporten", "DIALOGSYNC_HTTP_ADDR=127.0.0.1:0",
		"DIALOGSYNC_EVENTS_SECRET="+d.secret)
	if d.bus != "" {
		settings = append(settings, "DIALOGSYNC_SERVICEBUS_CONNECTION="+d.bus, "DIALOGSYNC_SERVICEBUS_QUEUE="+busQueue)
	}
	return settings
}

// dialogsync runs one command of the product.
func (d *demo) dialogsync(ctx context.Context, out io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, d.bin+"/dialogsync", args...)
	cmd.Env = d.environment()
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("dialogsync %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// asked runs one command of the product and reads what it prints.
func (d *demo) asked(ctx context.Context, into any, args ...string) error {
	var out bytes.Buffer
	if err := d.dialogsync(ctx, &out, append(args, "-o", "json")...); err != nil {
		return err
	}
	if err := json.Unmarshal(out.Bytes(), into); err != nil {
		return fmt.Errorf("read what dialogsync %s prints: %w", args[0], err)
	}
	return nil
}

// end stops everything, the last started first.
func (d *demo) end() {
	if d.pool != nil {
		d.pool.Close()
	}
	for _, w := range d.workers {
		w.stop()
	}
	if d.sim != nil {
		d.sim.stop()
	}
	if d.database != nil {
		d.database.Stop()
	}
}
