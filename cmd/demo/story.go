package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/postgres"
)

// demo is the parts while they run.
type demo struct {
	options

	database *postgres.Server
	url      string // of the database
	sim      *process
	platform string // the simulator's address
	bus      string // how its service bus is connected to
	secret   string // of the webhook
	workers  []*process
	// addresses are those that the workers answer on.
	addresses []string
}

const (
	source3, source2 = "a3-app-instances", "a2-archived-forms"
	busQueue         = "altinn.dialogportenadapter.webapi"
)

// story is what the demo does, in order.
func (d *demo) story(ctx context.Context) error {
	var err error
	d.secret = rand.Text()
	sayf("1. PostgreSQL")
	if d.database, err = postgres.Start(ctx, postgres.Options{Log: os.Stdout}); err != nil {
		return fmt.Errorf("PostgreSQL: %w", err)
	}
	d.url = d.database.URL("postgres")
	if err := d.dialogsync(ctx, os.Stdout, "migrate", "up"); err != nil {
		return err
	}

	sayf("\n2. A platform: %d instances over %d days, made up", d.items, d.days)
	if err := d.startPlatform(ctx); err != nil {
		return err
	}
	newest := time.Now().UTC().Truncate(24 * time.Hour)
	oldest := newest.AddDate(0, 0, -d.days)
	totals, err := d.generate(ctx, oldest, newest)
	if err != nil {
		return err
	}
	sayf("%s", totals)

	sayf("\n3. %d workers", d.options.workers)
	if err := d.startWorkers(ctx); err != nil {
		return err
	}

	sayf("\n4. Live: %.0f things happen every second", d.rate)
	if err := d.startLive(ctx); err != nil {
		return err
	}

	sayf("\n5. History, newest day first, at the same time")
	for _, source := range []string{source3, source2} {
		err := d.dialogsync(ctx, os.Stdout, "backfill", "create", "--source", source, "--from", newest.AddDate(0, 0, -1).Format(time.DateOnly),
			"--to", oldest.Format(time.DateOnly), "--reason", "demo", "--yes")
		if err != nil {
			return err
		}
	}
	began := time.Now()
	if err := d.watch(ctx); err != nil {
		return err
	}
	took := time.Since(began)

	sayf("\n6. The world stands still")
	if err := d.stopLive(ctx); err != nil {
		return err
	}

	sayf("\n7. Status")
	if err := d.dialogsync(ctx, os.Stdout, "status", "-o", "wide"); err != nil {
		return err
	}

	sayf("\n8. Proof")
	return d.prove(ctx, took)
}

// watch follows the backfills. Items in quarantine make its exit code 3: parties that Register lacks are made up on purpose.
func (d *demo) watch(ctx context.Context) error {
	err := d.dialogsync(ctx, os.Stdout, "backfill", "watch")
	const partlyFailed = 3
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.ExitCode() == partlyFailed {
		return nil
	}
	return err
}

func (d *demo) startPlatform(ctx context.Context) error {
	args := []string{
		"--addr", "127.0.0.1:0", "--record", "off", "--latency", d.latency.String(),
		"--servicebus-addr", "127.0.0.1:0", "--events-allow-http", "--outbox-delay-scale", "0.05",
	}
	sim, err := start(d.bin+"/altinnsim", args, os.Environ(), d.logs+"/altinnsim.log")
	if err != nil {
		return err
	}
	d.sim = sim
	const says = "altinnsim listening on "
	d.platform, err = sim.awaitLine(ctx, says)
	if err != nil {
		return fmt.Errorf("the simulator does not start: %w", err)
	}
	connection, err := sim.awaitLine(ctx, "DIALOGSYNC_SERVICEBUS_CONNECTION=")
	if err != nil {
		return fmt.Errorf("the simulator's service bus does not start: %w", err)
	}
	d.bus = strings.Trim(connection, "'")
	sayf("altinnsim listens on %s", d.platform)
	return nil
}

// generate makes the world; its newest item is from yesterday, since what has just arrived belongs to live sync.
func (d *demo) generate(ctx context.Context, oldest, newest time.Time) (string, error) {
	body, err := json.Marshal(map[string]any{
		"seed": d.seed, "instances": d.items, "from": oldest, "to": newest, "end": newest, "orgs": d.orgs, "appsPerOrg": 4,
		"a2": 0.3, "a1": 0.05, "softDeleted": 0.02, "hardDeleted": 0.01, "missingParties": 0.001, "ties": 0.15, "peakDays": 2,
	})
	if err != nil {
		return "", fmt.Errorf("write order: %w", err)
	}
	answer, err := d.call(ctx, http.MethodPost, "/_sim/generate", body)
	if err != nil {
		return "", err
	}
	var totals struct {
		Instances      int            `json:"instances"`
		ByMainVersion  map[string]int `json:"byMainVersion"`
		ByOrg          map[string]int `json:"byOrg"`
		SoftDeleted    int            `json:"softDeleted"`
		HardDeleted    int            `json:"hardDeleted"`
		MissingParties int            `json:"missingParties"`
	}
	if err := json.Unmarshal(answer, &totals); err != nil {
		return "", fmt.Errorf("read what was made: %w", err)
	}
	return fmt.Sprintf("%d organisations; main versions %v; %d soft-deleted, %d hard-deleted, %d owners that Register lacks",
		len(totals.ByOrg), totals.ByMainVersion, totals.SoftDeleted, totals.HardDeleted, totals.MissingParties), nil
}

func (d *demo) startWorkers(ctx context.Context) error {
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
		sayf("%s is ready, health, metrics and intake of events on %s", name, addr)
	}
	return nil
}

// environment is a product's settings, and none of the caller's own.
func (d *demo) environment() []string {
	settings := append(withoutSettings(os.Environ()),
		"DIALOGSYNC_DATABASE_URL="+d.url, "DIALOGSYNC_ENVIRONMENT=local", "DIALOGSYNC_PLATFORM_URL="+d.platform,
		"DIALOGSYNC_DIALOGPORTEN_URL="+d.platform, "DIALOGSYNC_ALTINN_HOST=tt02.altinn.no",
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
		return fmt.Errorf("dialogsync %s: %w", args[0], err)
	}
	return nil
}

// call asks the simulator.
func (d *demo) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, d.platform+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the simulator: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the simulator: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read the simulator's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the simulator answers %s to %s: %s", response.Status, path, answer)
	}
	return answer, nil
}

func (d *demo) pool(ctx context.Context) (*pgxpool.Pool, error) {
	pool, err := db.Open(ctx, d.url, 2)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	return pool, nil
}

// end stops everything, the last started first.
func (d *demo) end() {
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
