package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/altinn2"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
	"github.com/altinn/dialogsync/internal/altinnsim/events"
	"github.com/altinn/dialogsync/internal/altinnsim/faults"
	"github.com/altinn/dialogsync/internal/altinnsim/generator"
	"github.com/altinn/dialogsync/internal/altinnsim/story"
)

const long = `altinnsim simulates the platform that dialogsync works between, on one address and in memory:
Storage, Register, the list of service owners, Maskinporten and the exchange of its tokens, Altinn
Events, the export of Altinn 2's messages, Correspondence, and a strict Dialogporten; on a port of
its own also Azure Service Bus. It makes up a world from a seed (the same seed gives the same world)
and keeps it moving, fails on purpose when it is told to, keeps the story of every item, and
compares both sides item by item.

Paths are those of the real gateway: /storage/api/v1, /register/api/v1, /orgs/altinn-orgs.json,
/maskinporten, /authentication/api/v1, /events/api/v1, /a2/v1, /correspondence/api/v1,
/api/v1/serviceowner. Its own endpoints lie under /_sim/; docs/altinnsim.md shows them at work.

The address is printed on stdout when it listens:

    altinnsim listening on http://127.0.0.1:41234`

const examples = `  # an empty platform on a free port
  altinnsim

  # 10,000 instances of the last 30 days, five service owners
  altinnsim --addr 127.0.0.1:9090 --instances 10000

  # half a million archived forms of 2024, for a benchmark: no stories, slim dialogs
  altinnsim --instances 500000 --from 2024-01-01 --to 2025-01-01 --a2 0.85 --a1 0.15 --record off --compact

  # messages of Altinn 2, and their export and Correspondence
  altinnsim --messages 100000 --days 365

  # and a hundred things happen to them every second
  altinnsim --messages 100000 --live-message-rate 100

  # one day that is out of all proportion
  altinnsim --instances 50000 --monster skd:2026-03-01:2000000

  # a platform that is slow and loses answers
  altinnsim --instances 1000 --latency 20ms --faults faults.json

  # a working day in a minute, announced to a consumer nearby
  altinnsim --instances 5000 --live-rate 200 --live-for 1m --outbox-delay-scale 0.1 \
    --sync-command-url http://127.0.0.1:8080/storage/dialogporten/api/v1/syncDialog

  # the same over a service bus, which prints what a worker is configured with
  altinnsim --instances 5000 --live-rate 200 --live-for 1m --servicebus-addr 127.0.0.1:5672

  # a platform that takes only its own tokens, of short life, and loses one app event in twenty
  altinnsim --instances 1000 --auth verify --altinn-token-lifetime 20s --events-allow-http --events-lose 0.05

  # then
  curl -s localhost:9090/_sim/stats
  curl -s localhost:9090/_sim/diff`

// settings are the flags.
type settings struct {
	address    string
	seed       uint64
	host       string
	auth       string
	record     string
	compact    bool
	now        string
	faultsFile string
	profile    string
	latency    time.Duration
	monster    string
	from, to   string
	generate   generator.Options
	messages   altinn2.Options
	moving     moving
	tokens     tokens
	events     events.Settings
	bus        bus
}

func newCommand() *cobra.Command {
	s := settings{generate: generator.Defaults(), moving: newMoving()}
	command := &cobra.Command{
		Use:           "altinnsim",
		Short:         "Simulate Storage, Register and Dialogporten on one address",
		Long:          long,
		Example:       examples,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, generate, err := s.parse()
			if err != nil {
				return err
			}
			return serve(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), s.address, options, generate, s.moving, s.bus)
		},
	}
	s.addFlags(command.Flags())
	return command
}

func (s *settings) addFlags(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVar(&s.address, "addr", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	f.Uint64Var(&s.seed, "seed", s.generate.Seed, "seed of everything random")
	f.StringVar(&s.host, "host", "tt02.altinn.no", "public host in Storage's links")
	f.StringVar(&s.auth, "auth", string(auth.Off), "off: everybody is an administrator; decode: the claims of any JWT count; "+
		"verify: only tokens of its own Maskinporten and exchange do")
	f.StringVar(&s.record, "record", string(story.All), "story of each item: all, hashes (of bodies), off")
	f.BoolVar(&s.compact, "compact", false, "keep of dialogs only what comparisons need, for huge runs")
	f.StringVar(&s.now, "now", "", "freeze the clock at this time (RFC 3339)")
	f.StringVar(&s.faultsFile, "faults", "", "file with fault rules, as PUT /_sim/faults takes them")
	f.StringVar(&s.profile, "fault-profile", "", "ready-made fault rules, before those of --faults: "+strings.Join(faults.Profiles(), ", "))
	f.DurationVar(&s.latency, "latency", 0, "wait so long before every answer")

	g := &s.generate
	f.IntVar(&g.Instances, "instances", 0, "how many instances to make up")
	f.IntVar(&g.Days, "days", g.Days, "they were last changed in so many days before --to")
	f.StringVar(&s.from, "from", "", "or from this day on (2006-01-02 or RFC 3339, UTC)")
	f.StringVar(&s.to, "to", "", "up to, not including, this day (default: now)")
	f.IntVar(&g.Orgs, "orgs", g.Orgs, "service owners; the first has most")
	f.IntVar(&g.AppsPerOrg, "apps", g.AppsPerOrg, "Altinn 3 apps of each service owner")
	f.Float64Var(&g.A2, "a2", g.A2, "share of archived Altinn 2 forms")
	f.Float64Var(&g.A1, "a1", g.A1, "share of archived Altinn 1 forms")
	f.Float64Var(&g.SoftDeleted, "soft-deleted", g.SoftDeleted, "share of soft-deleted instances")
	f.Float64Var(&g.HardDeleted, "hard-deleted", g.HardDeleted, "share of hard-deleted instances")
	f.Float64Var(&g.MissingParties, "missing-parties", g.MissingParties, "share of instances whose owner Register does not know")
	f.Float64Var(&g.Ties, "ties", g.Ties, "share of instances that share a last-changed time")
	f.Float64Var(&g.Odd, "odd", g.Odd, "share of instances with values that their enumerations do not have, and files of no bytes")
	f.BoolVar(&g.SuppliedIDs, "supplied-ids", false, "the last Altinn 3 app of each service owner chooses its dialogs' ids itself")
	f.IntVar(&g.PeakDays, "peak-days", g.PeakDays, "days with eight times the volume")
	f.BoolVar(&g.FlatWeek, "flat-week", g.FlatWeek, "weekends like weekdays")
	addMessageFlags(f, &s.messages)
	f.StringVar(&s.monster, "monster", "", "one more day, out of all proportion: ORG:DAY:COUNT")

	s.moving.addFlags(f)
	s.tokens.addFlags(f)
	s.bus.addFlags(f)
	addEventFlags(f, &s.events)
}

// parse turns flags into options. All faults are told at once.
func (s *settings) parse() (altinnsim.Options, generator.Options, error) {
	options := altinnsim.Options{Seed: s.seed, Host: s.host, Compact: s.compact}
	generate := s.generate
	generate.Seed = s.seed
	var faultsOf []error
	note := func(flag string, err error) {
		if err != nil {
			faultsOf = append(faultsOf, fmt.Errorf("--%s: %w", flag, err))
		}
	}
	var err error
	options.Auth, err = auth.ParseMode(s.auth)
	note("auth", err)
	options.Record, err = story.ParseMode(s.record)
	note("record", err)
	generate.From, err = parseDay(s.from)
	note("from", err)
	generate.To, err = parseDay(s.to)
	note("to", err)
	generate.Monster, err = parseMonster(s.monster)
	note("monster", err)
	s.moving.parse(note)
	s.moving.messages.Seed = s.seed
	options.ServiceBus = s.bus.options(s.seed)
	options.Tokens, options.Events = s.tokens.parse(note), s.events
	note("events-…", s.events.Validate())
	options.Outbox, options.SyncCommandURL = &s.moving.outbox, s.moving.syncCommandURL
	options.SyncCommandToken = s.moving.syncCommandToken
	options.Faults, err = readFaults(s.faultsFile)
	note("faults", err)
	if s.profile != "" {
		profile, err := faults.Profile(s.profile)
		note("fault-profile", err)
		options.Faults = append(profile, options.Faults...)
	}
	if s.latency > 0 {
		// First, so that the others come on top of it.
		slow := faults.Rule{Effect: faults.EffectLatency, Latency: faults.Duration(s.latency)}
		options.Faults = append([]faults.Rule{slow}, options.Faults...)
	}
	if s.now != "" {
		now, err := time.Parse(time.RFC3339, s.now)
		note("now", err)
		options.Now = func() time.Time { return now }
	}
	return options, withMessages(generate, s.messages), errors.Join(faultsOf...)
}

// parseDay reads a day or a time; "" is the zero time.
func parseDay(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a day (2006-01-02) nor a time (RFC 3339)", text)
	}
	return t.UTC(), nil
}

func parseMonster(text string) (*generator.Monster, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no monster is asked for
	}
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return nil, fmt.Errorf("%q is not ORG:DAY:COUNT", text)
	}
	day, err := parseDay(parts[1])
	if err != nil {
		return nil, err
	}
	count, err := strconv.Atoi(parts[2])
	if err != nil {
		return nil, fmt.Errorf("count: %w", err)
	}
	return &generator.Monster{Org: parts[0], Day: day, Count: count}, nil
}

func readFaults(path string) ([]faults.Rule, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("open rules: %w", err)
	}
	defer func() { _ = file.Close() }()
	rules, err := faults.Read(file)
	if err != nil {
		return nil, err
	}
	return rules, nil
}
