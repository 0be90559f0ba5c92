package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/config"
	"github.com/altinn/dialogsync/internal/delivery/message"
	"github.com/altinn/dialogsync/internal/reconcile"
	"github.com/altinn/dialogsync/internal/stream"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

func (c *cli) itemExplainCommand() *cobra.Command {
	var f itemFlags
	cmd := &cobra.Command{
		Use:   "explain KEY",
		Short: "Tell everything known of one item, and what to do about it",
		Example: `  dialogsync item explain 50001337/6f3da581-76f9-412c-ba01-44e375b5bc79
  dialogsync item explain 30088189 -o json`,
		Long: `Tells everything known of one app instance, archived form or message: how it stands at its source, in the ledger, in
quarantine and in Dialogporten, whether history and live have been where it lies, what a delivery would do now, and, on the last
lines, what is wrong or that all is well, and what to type next. It reads only.

--app-id and --created name what a source that no longer has the instance can't tell. Exit code 3 if a system could not be read, 4 if
nothing is known of the item anywhere.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.source != "" && !slices.Contains(sourceNames(), f.source) {
				return usageError{fmt.Sprintf("source %q: items of %s can be explained", f.source, strings.Join(sourceNames(), ", "))}
			}
			if f.isMessage(args[0]) {
				return c.explainMessage(cmd.Context(), args[0])
			}
			return c.explainInstance(cmd.Context(), args[0], &f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.source, "source", "", "source; default: told by the key")
	flags.StringVar(&f.appID, "app-id", "", "org/app of an instance that is gone")
	flags.StringVar(&f.created, "created", "", "creation time of an instance that is gone")
	_ = cmd.RegisterFlagCompletionFunc("source", cobra.FixedCompletions(sourceNames(), cobra.ShellCompDirectiveNoFileComp)) // exists
	return cmd
}

func (c *cli) explainInstance(ctx context.Context, key string, f *itemFlags) error {
	f.attempt = 1
	item, _, err := f.item(key, config.Local)
	if err != nil {
		return err
	}
	settings, pool, err := c.connected(ctx, config.NeedDelivery)
	if err != nil {
		return err
	}
	defer pool.Close()
	p, err := newPlatform(settings, platformOptions{rehearsal: &transport.Rehearsal{}})
	if err != nil {
		return err
	}
	x := reconcile.Explainer{Pool: pool, Instances: newDeliverer(settings, p, pool, time.Now), Now: time.Now}
	e, err := x.Instance(ctx, item.ID, item.AppID, item.Created)
	return c.explained(e, err)
}

func (c *cli) explainMessage(ctx context.Context, key string) error {
	number, err := message.ParseKey(key)
	if err != nil {
		return usageError{err.Error()}
	}
	settings, pool, err := c.connected(ctx, config.NeedDatabase|config.NeedAltinn2|config.NeedDialogporten)
	if err != nil {
		return err
	}
	defer pool.Close()
	x, err := newMessageExplainer(settings, pool)
	if err != nil {
		return err
	}
	e, err := x.Message(ctx, number)
	return c.explained(e, err)
}

func newMessageExplainer(settings config.Config, pool *pgxpool.Pool) (*reconcile.Explainer, error) {
	token, err := directTokens(settings)
	if err != nil {
		return nil, err
	}
	client := func(service, url string) transport.Config {
		return transport.Config{Service: service, BaseURL: url, Token: token, Rehearsal: &transport.Rehearsal{}}
	}
	return &reconcile.Explainer{
		Pool: pool, Now: time.Now, Selection: selectionOf(settings),
		Messages: altinn2.New(settings.Altinn2URL, transport.NewClient(client("altinn2", settings.Altinn2URL)), nil),
		Dialogs:  dialogporten.New(settings.DialogportenURL, transport.NewClient(client("dialogporten", settings.DialogportenURL))),
	}, nil
}

// explained prints an explanation and decides the exit code.
func (c *cli) explained(e *reconcile.Explanation, err error) error {
	if err != nil {
		return err
	}
	if err := c.print(e, func(w io.Writer, _ bool) { printExplanation(w, e) }); err != nil {
		return err
	}
	switch {
	case !e.Known():
		return codedError{code: exitNotFound, err: errQuiet}
	case !e.Complete():
		return codedError{code: exitPartly, err: errQuiet}
	}
	return nil
}

func printExplanation(w io.Writer, e *reconcile.Explanation) {
	line(w, "Item", e.Item)
	line(w, "Source", orDash(string(e.Source)))
	printOrigin(w, &e.Origin)
	printRecords(w, e)
	for i := range e.Quarantine {
		printQuarantined(w, &e.Quarantine[i])
	}
	if in := e.Inbox; in != nil {
		line(w, "Waiting", fmt.Sprintf("%d events since %s, next try %s, %d failed: %s", in.Events, when(in.Oldest), when(in.DueAt), in.Attempts,
			orDash(in.Failure)))
	}
	for i := range e.History {
		printHistory(w, &e.History[i])
	}
	if e.Source != "" {
		printLive(w, &e.Live)
	}
	printDialog(w, &e.Dialog)
	if d := e.Delivery; d != nil {
		line(w, "Delivery now", strings.TrimSpace(fmt.Sprintf("would end %s %s", d.Outcome, d.Reason)))
		if d.Detail != "" {
			line(w, "", d.Detail)
		}
	}
	line(w, "")
	line(w, "Verdict", e.Verdict.Text)
	line(w, "Next", orNothing(e.Verdict.Next))
}

func printOrigin(w io.Writer, o *reconcile.Origin) {
	text := strings.ReplaceAll(string(o.State), "_", " ")
	if o.Problem != "" {
		text += ": " + o.Problem
	}
	line(w, o.System, text)
	if o.Key != "" {
		line(w, "  own key", o.Key)
	}
	if o.AppID != "" {
		app := fmt.Sprintf("%s (Altinn %d)", o.AppID, o.MainVersion)
		if o.Archived {
			app += ", archived"
		}
		if len(o.Switches) > 0 {
			app += ", with " + strings.Join(o.Switches, ", ")
		}
		line(w, "  app", app)
	}
	if o.ResourceID != "" {
		line(w, "  resource", fmt.Sprintf("%s, change %d", o.ResourceID, o.ChangeSeq))
	}
	if !o.Created.IsZero() {
		line(w, "  created", when(o.Created))
	}
	if !o.Changed.IsZero() {
		line(w, "  changed", when(o.Changed))
	}
}

func printRecords(w io.Writer, e *reconcile.Explanation) {
	l := e.Ledger
	if l == nil {
		line(w, "Ledger", "no row: it was never brought over, skipped or given up")
	} else {
		by := "by live, or singly"
		if l.BackfillID != 0 {
			by = fmt.Sprintf("by backfill %d, window %d", l.BackfillID, l.WindowID)
		}
		line(w, "Ledger", strings.TrimSpace(fmt.Sprintf("%s %s", l.Outcome, l.Reason))+", dialog "+string(l.DialogState))
		line(w, "  of", fmt.Sprintf("the change of %s, mapping version %d, %s", when(l.SourceChanged), l.MappingVersion, by))
		line(w, "  read", fmt.Sprintf("%s, recorded %s", when(l.ReadAt), when(l.RecordedAt)))
	}
	if m := e.Message; m != nil {
		text := fmt.Sprintf("%s, %s %s", m.Stage, m.Outcome, m.Reason)
		line(w, "Message", fmt.Sprintf("%s, change %d, mapping version %d", strings.TrimSpace(text), m.ChangeSeq, m.MappingVersion))
		line(w, "  in Correspondence", orDashID(m.CorrespondenceID))
		if !m.DueAt.IsZero() {
			line(w, "  looked at again", when(m.DueAt))
		}
	}
}

func printHistory(w io.Writer, h *reconcile.HistoryFacts) {
	closed := "not closed"
	if h.Closed {
		closed = "closed"
	}
	of := h.Org
	if h.Stream != stream.History {
		of = "all messages"
	}
	text := fmt.Sprintf("%s at %s of %s", closed, when(h.Position), of)
	if h.Stopped != "" {
		text += "; " + h.Stopped
	}
	name := "History"
	if h.Stream != stream.History {
		name = strings.ToUpper(h.Stream[:1]) + h.Stream[1:]
	}
	line(w, name, text)
	for i := range h.Windows {
		win := &h.Windows[i]
		text := fmt.Sprintf("%d (%s): window %s", win.BackfillID, win.BackfillState, win.State)
		switch {
		case !win.ClosedAt.IsZero():
			text += " " + when(win.ClosedAt)
		case win.Failure != "":
			text += ": " + win.Failure
		case win.State == "walking":
			text += ", reached " + when(win.Reached)
		}
		line(w, "  backfill", text)
	}
}

func printLive(w io.Writer, l *reconcile.LiveFacts) {
	if l.Since.IsZero() {
		line(w, "Live", "never began")
		return
	}
	so := "has not come to its last change"
	if l.Passed {
		so = "has passed its last change"
	}
	text := fmt.Sprintf("since %s, to %s here: %s", when(l.Since), when(l.Position), so)
	if l.Stopped != "" {
		text += "; " + l.Stopped
	}
	if l.HeldBy != "" {
		text += "; held by " + l.HeldBy
	}
	line(w, "Live", text)
}

func printDialog(w io.Writer, d *reconcile.DialogFacts) {
	switch {
	case d.Problem != "":
		line(w, "Dialog", orDashID(d.ID)+" could not be read: "+d.Problem)
		return
	case !d.Exists:
		line(w, "Dialog", orDashID(d.ID)+" does not exist")
		return
	}
	shown := "visible"
	if d.Hidden != "" {
		shown = "not visible: " + d.Hidden
	}
	line(w, "Dialog", d.ID.String()+", "+shown)
	line(w, "  status", fmt.Sprintf("%s, labels %s, revision %s", orDash(d.Status), orDash(strings.Join(d.Labels, ", ")), d.Revision))
	line(w, "  created", fmt.Sprintf("%s, updated %s", when(d.CreatedAt), when(d.UpdatedAt)))
	if !d.DeletedAt.IsZero() {
		line(w, "  deleted", when(d.DeletedAt))
	}
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func orNothing(next string) string {
	if next == "" {
		return "nothing to do"
	}
	return next
}
