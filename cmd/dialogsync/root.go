package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/altinn/dialogsync/internal/config"
	"github.com/altinn/dialogsync/internal/db"
	"github.com/altinn/dialogsync/internal/history"
	"github.com/altinn/dialogsync/internal/telemetry"
)

// Exit codes, as listed in --help.
const (
	exitOK        = 0
	exitError     = 1
	exitUsage     = 2
	exitPartly    = 3
	exitNotFound  = 4
	exitConflict  = 5
	exitUnhealthy = 6
)

// streams are where a command reads and writes: data on out, all else on err.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// cli is what all commands share.
type cli struct {
	streams

	environ []string
	output  string
	// operator is who asks, for the record.
	operator string
}

// usageError is a mistake in how a command was called.
type usageError struct{ problem string }

func (e usageError) Error() string { return e.problem }

// codedError ends the program with a code of its own.
type codedError struct {
	code int
	err  error
}

func (e codedError) Error() string { return e.err.Error() }
func (e codedError) Unwrap() error { return e.err }

// errQuiet ends a command whose output has said it all.
var errQuiet = errors.New("reported above")

// run executes one command line and gives the exit code.
func run(ctx context.Context, args []string, s streams, environ []string) int {
	c := &cli{streams: s, environ: environ}
	root := c.rootCommand() //nolint:contextcheck // cobra hands the context to the commands
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if !errors.Is(err, errQuiet) {
		c.sayError(err)
	}
	return exitCode(err)
}

// sayError writes an error for a person, without persons in it.
func (c *cli) sayError(err error) {
	if settings, ok := errors.AsType[*config.Error](err); ok {
		fmt.Fprintln(c.err, settings.Error()) // one clear line a mistake, which never repeats a secret
		return
	}
	fmt.Fprintln(c.err, "error: "+telemetry.Redact(oneLine(err.Error())))
}

// oneLine puts a text of several lines, as pgx and cobra write them, into one.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// group makes a command that only holds others: alone it shows its help, and what it does not know is a mistake.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Sprintf("'%s' has no such command: '%s --help' lists them", cmd.CommandPath(), cmd.CommandPath())}
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

func exitCode(err error) int {
	var coded codedError
	var usage usageError
	var order *history.OrderError
	var conflict *history.ConflictError
	var state *history.StateError
	var settings *config.Error
	var schema *db.SchemaMismatchError
	switch {
	case errors.As(err, &coded):
		return coded.code
	case isStreamError(err):
		return streamExitCode(err)
	case errors.As(err, &usage), errors.As(err, &order), errors.As(err, &settings), isCobraUsage(err):
		return exitUsage
	case errors.Is(err, history.ErrNoBackfill):
		return exitNotFound
	case errors.As(err, &conflict), errors.As(err, &state):
		return exitConflict
	case errors.As(err, &schema):
		return exitError
	}
	return exitError
}

// isCobraUsage recognises cobra's own complaints, which have no type.
func isCobraUsage(err error) bool {
	for _, prefix := range []string{
		"unknown command", "unknown flag", "unknown shorthand", "required flag", "accepts ", "invalid argument", "flag needs",
	} {
		if strings.HasPrefix(err.Error(), prefix) {
			return true
		}
	}
	return false
}

func (c *cli) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "dialogsync",
		Short: "Brings Altinn messages and forms into Dialogporten, and proves that none is missing",
		Long: `dialogsync brings messages and forms from Altinn 2 and Altinn 3 into Dialogporten and keeps them current.

'dialogsync worker' runs the synchronisation, in as many processes as you like around one PostgreSQL. The other commands
are for operators: they order backfills, pause and throttle streams, show how far live and history are, and put single
items right.

  dialogsync migrate up                                      make or update the schema
  dialogsync worker                                          live sync begins, and history that is ordered
  dialogsync backfill create --source a3-app-instances \
      --from 2025-12-31 --to 2025-01-01 --reason "2025"      walk 2025, newest day first
  dialogsync backfill watch                                  see the watermark move
  dialogsync item explain KEY                                why one letter is missing, and what to do
  dialogsync quarantine list                                 what needs a person
  dialogsync stream pause a3-app-instances/live --reason R   stop a stream on all workers; resume lets it go on
  dialogsync status                                          what is true now

Settings come from the environment (DIALOGSYNC_DATABASE_URL and others; docs/configuration.md). Data go to stdout, progress
and errors to stderr; times are UTC.

Exit codes: 0 ok, 1 error, 2 wrong usage or settings, 3 partly failed, 4 not found, 5 conflict, 6 unhealthy.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVarP(&c.output, "output", "o", "table", "form of the data on stdout: table, wide, json or yaml")
	root.PersistentFlags().StringVar(&c.operator, "operator", operatorName(c.environ), "who asks, kept with every change")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(
		[]string{formatTable, formatWide, formatJSON, formatYAML}, cobra.ShellCompDirectiveNoFileComp)) // the flag exists
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return checkFormat(c.output) }
	root.AddCommand(c.migrateCommand(), c.workerCommand(), c.backfillCommand(), c.streamCommand(), c.itemCommand(), c.quarantineCommand(),
		c.statusCommand(), c.coverageCommand(), c.subscriptionCommand(), c.versionCommand())
	return root
}

// operatorName is the user of the machine. In a cluster, where everybody is the same user, --operator tells.
func operatorName(environ []string) string {
	for _, setting := range environ {
		if name, found := strings.CutPrefix(setting, "USER="); found && name != "" {
			return name
		}
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

// change is what all commands that change something have in common.
type change struct {
	reason string
	dryRun bool
	yes    bool
}

func (ch *change) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&ch.reason, "reason", "", "why, in your own words; kept with who and when")
	cmd.Flags().BoolVar(&ch.dryRun, "dry-run", false, "show what would happen and change nothing")
	cmd.Flags().BoolVarP(&ch.yes, "yes", "y", false, "do not ask; needed where stdin is not a terminal")
}

// confirm asks on a terminal, and elsewhere wants --yes.
func (c *cli) confirm(ch *change, question string) error {
	if ch.yes {
		return nil
	}
	file, isFile := c.in.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) {
		return usageError{"nobody can be asked here: say --yes"}
	}
	fmt.Fprintf(c.err, "%s [y/N] ", question)
	var answer string
	_, _ = fmt.Fscanln(c.in, &answer) // no answer is a no
	if !strings.EqualFold(answer, "y") && !strings.EqualFold(answer, "yes") {
		return codedError{code: exitError, err: errors.New("nothing was changed")}
	}
	return nil
}
