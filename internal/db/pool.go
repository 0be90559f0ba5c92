package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// connectTimeout bounds one attempt to connect, so that a database that is down is seen as that.
const connectTimeout = 5 * time.Second

// Open makes a pool of at most maxConns connections and proves that the database answers.
func Open(ctx context.Context, url string, maxConns int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx's own error repeats the URL less its password; the cause alone is enough and says nothing of it.
		return nil, fmt.Errorf("DIALOGSYNC_DATABASE_URL is not a PostgreSQL URL: %w", err)
	}
	config.MaxConns = maxConns
	config.ConnConfig.ConnectTimeout = connectTimeout
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "dialogsync"
	}
	// Times are instants; the server's own zone must not matter to how ranges and dates are cut.
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	// A process that is frozen or cut off within a transaction must not keep others from its rows.
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "10s"
	config.ConnConfig.RuntimeParams["tcp_user_timeout"] = "15s"
	// Our statements are short; compiling them takes longer than running them.
	config.ConnConfig.RuntimeParams["jit"] = "off"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("make a pool of connections: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	return pool, nil
}

// InTx runs do in a transaction: committed if do returns nil, undone otherwise. No HTTP call may be made within (design,
// chapter 5).
func InTx(ctx context.Context, pool *pgxpool.Pool, do func(pgx.Tx, *Queries) error) error {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return do(tx, New(tx)) })
	if err != nil {
		return fmt.Errorf("transaction: %w", err)
	}
	return nil
}
