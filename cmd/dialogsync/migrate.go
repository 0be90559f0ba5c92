package main

import (
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/altinn/dialogsync/internal/config"
	"github.com/altinn/dialogsync/internal/db"
)

func (c *cli) migrateCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "migrate",
		Short: "Make or update the database schema, River's and ours",
		Long: `Workers refuse to start on a schema that is older or newer than they know. 'migrate up' brings it to what this binary
knows; it may be called by several processes at once and as often as you like.`,
	})
	cmd.AddCommand(
		&cobra.Command{
			Use: "up", Short: "Bring the schema to what this binary knows", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return c.withBareDatabase(cmd.Context(), c.migrateUp) },
		},
		&cobra.Command{
			Use: "status", Short: "Show how far the schema is; exit code 6 if it is not what this binary knows", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return c.withBareDatabase(cmd.Context(), c.migrateStatus) },
		})
	return cmd
}

// withBareDatabase connects without a look at the schema.
func (c *cli) withBareDatabase(ctx context.Context, do func(context.Context, *pgxpool.Pool) error) error {
	settings, err := c.settings(config.NeedDatabase)
	if err != nil {
		return err
	}
	pool, err := db.Open(ctx, settings.DatabaseURL.Reveal(), commandPool)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer pool.Close()
	return do(ctx, pool)
}

func (c *cli) migrateUp(ctx context.Context, pool *pgxpool.Pool) error {
	own, river, err := db.Migrate(ctx, pool)
	if err != nil {
		return err
	}
	schema, err := db.ReadSchema(ctx, pool)
	if err != nil {
		return err
	}
	if !schema.Current() {
		return &db.SchemaMismatchError{Schema: schema}
	}
	result := struct {
		Applied      []int64 `json:"applied"`
		RiverApplied []int64 `json:"riverApplied"`
		Schema       int64   `json:"schema"`
		River        int64   `json:"river"`
	}{own, river, schema.Own, schema.River}
	return c.print(result, func(w io.Writer, _ bool) {
		if len(own)+len(river) == 0 {
			line(w, fmt.Sprintf("Nothing to do: schema %d, River %d.", schema.Own, schema.River))
			return
		}
		line(w, fmt.Sprintf("Ran %d of our migrations and %d of River's: schema %d, River %d.", len(own), len(river), schema.Own, schema.River))
	})
}

func (c *cli) migrateStatus(ctx context.Context, pool *pgxpool.Pool) error {
	schema, err := db.ReadSchema(ctx, pool)
	if err != nil {
		return err
	}
	err = c.print(struct {
		Schema      int64 `json:"schema"`
		SchemaKnown int64 `json:"schemaKnown"`
		River       int64 `json:"river"`
		RiverKnown  int64 `json:"riverKnown"`
		Current     bool  `json:"current"`
	}{schema.Own, schema.OwnKnown, schema.River, schema.RiverKnown, schema.Current()}, func(w io.Writer, _ bool) {
		line(w, "MIGRATIONS", "DATABASE", "THIS BINARY")
		line(w, "dialogsync", schema.Own, schema.OwnKnown)
		line(w, "river", schema.River, schema.RiverKnown)
	})
	if err != nil {
		return err
	}
	if !schema.Current() {
		return codedError{code: exitUnhealthy, err: &db.SchemaMismatchError{Schema: schema}}
	}
	return nil
}
