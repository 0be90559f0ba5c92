package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

const busQueue = "altinn.dialogportenadapter.webapi"

// startPlatform starts the simulated platform and makes its world up.
func (d *demo) startPlatform(ctx context.Context, oldest, newest time.Time) error {
	d.chapterf("The platform, simulated: %s instances and %s messages of %d days, made up", number(d.items), number(d.messages), d.days)
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
	factf("altinnsim", "%s", d.platform)
	return d.generate(ctx, oldest, newest)
}

// generate makes the world. Some of it cannot be brought over as it is: owners that nobody knows, messages that are broken.
func (d *demo) generate(ctx context.Context, oldest, newest time.Time) error {
	body, err := json.Marshal(map[string]any{
		"seed": d.seed, "instances": d.items, "from": oldest, "to": newest, "end": newest, "orgs": d.orgs, "appsPerOrg": 4,
		"a2": 0.3, "a1": 0.05, "softDeleted": 0.02, "hardDeleted": 0.01, "missingParties": 0.001, "ties": 0.15, "peakDays": 2,
		"messages": map[string]any{
			"messages": d.messages, "from": oldest, "to": newest, "orgs": d.orgs, "services": 2, "mailings": 0.4, "persons": 0.55,
			"selfIdentified": 0.02, "deceased": 0.003, "confirmation": 0.08, "read": 0.6, "archived": 0.2, "trashed": 0.03, "purged": 0.01,
			"notified": 0.5, "forwarded": 0.03, "attached": 0.35, "replies": 0.05, "odd": 0.03, "broken": 0.005, "largestFile": 2_000_000,
		},
	})
	if err != nil {
		return fmt.Errorf("write order: %w", err)
	}
	var made struct {
		Instances      int            `json:"instances"`
		ByMainVersion  map[string]int `json:"byMainVersion"`
		ByOrg          map[string]int `json:"byOrg"`
		SoftDeleted    int            `json:"softDeleted"`
		HardDeleted    int            `json:"hardDeleted"`
		MissingParties int            `json:"missingParties"`
		Messages       struct {
			Messages, Purged, Deceased int
		} `json:"messages"`
	}
	if err := d.ask(ctx, http.MethodPost, "/_sim/generate", body, &made); err != nil {
		return err
	}
	factf("app instances", "%s of %d organisations", number(made.ByMainVersion["3"]), len(made.ByOrg))
	factf("archived forms", "%s of Altinn 2, %s of Altinn 1", number(made.ByMainVersion["2"]), number(made.ByMainVersion["1"]))
	factf("", "of both: %d soft-deleted, %d hard-deleted, %d with an owner that nobody knows",
		made.SoftDeleted, made.HardDeleted, made.MissingParties)
	factf("messages", "%s of Altinn 2: %d purged, %d to the deceased, some broken on purpose",
		number(made.Messages.Messages), made.Messages.Purged, made.Messages.Deceased)
	return nil
}

// ask asks the simulator and reads its answer.
func (d *demo) ask(ctx context.Context, method, path string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, d.platform+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the simulator: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask the simulator: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("read the simulator's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the simulator answers %s to %s: %s", response.Status, path, answer)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("read the simulator's answer to %s: %w", path, err)
	}
	return nil
}
