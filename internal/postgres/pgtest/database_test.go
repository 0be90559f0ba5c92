package pgtest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/altinn/dialogsync/internal/postgres"
)

// childVariable makes this test binary one more process that wants the template which the variable's value is the key of.
const childVariable = "PGTEST_TEST_CHILD"

func TestMain(m *testing.M) {
	if key := os.Getenv(childVariable); key != "" {
		err := child(context.Background(), key)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(Suite{M: m})
}

func child(ctx context.Context, key string) error {
	server, err := shared.get(ctx)
	if err != nil {
		return err
	}
	migrations := 0
	_, err = template(ctx, server, key, func(context.Context, string) error {
		migrations++
		return nil
	})
	return errors.Join(err, json.NewEncoder(os.Stdout).Encode(migrations))
}

func TestDatabasesAreTheirTestsOwn(t *testing.T) {
	t.Parallel()
	var migrations atomic.Int32
	key := rand.Text()
	migrate := func(ctx context.Context, url string) error {
		migrations.Add(1)
		return run(ctx, url, "create table letter (title text)")
	}
	for i := range 8 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			url := Database(t, key, migrate)
			require.NoError(t, run(t.Context(), url, "insert into letter values ('mine')"))
			require.Equal(t, 1, count(t, url, "select count(*) from letter"))
		})
	}
	t.Cleanup(func() { require.EqualValues(t, 1, migrations.Load()) })
}

//nolint:tparallel // the database is looked for after its test
func TestDatabaseIsDroppedAlthoughSomebodyIsConnected(t *testing.T) {
	t.Parallel()
	var url string
	t.Run("test", func(t *testing.T) {
		url = Database(t, "", nil)
		require.Equal(t, 0, count(t, url, "select count(*) from pg_tables where schemaname = 'public'"))
		conn, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		require.NoError(t, conn.Ping(t.Context()))
	})
	require.ErrorContains(t, run(t.Context(), url, "select 1"), "does not exist")
}

func TestProcessesShareTemplates(t *testing.T) {
	t.Parallel()
	server, err := shared.get(t.Context())
	require.NoError(t, err)
	key := rand.Text()
	var (
		wg         sync.WaitGroup
		migrations atomic.Int32
	)
	for range 4 {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), childVariable+"="+key, postgres.TestURLVariable+"="+server.URL(""))
			cmd.Stderr = os.Stderr
			said, err := cmd.Output()
			if err != nil {
				t.Errorf("child: %v", err)
				return
			}
			var n int32
			if err := json.Unmarshal(said, &n); err != nil {
				t.Errorf("child said %q: %v", said, err)
			}
			migrations.Add(n)
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, migrations.Load())
}

func TestFailedMigrationLeavesNoTemplate(t *testing.T) {
	t.Parallel()
	server, err := shared.get(t.Context())
	require.NoError(t, err)
	key := rand.Text()
	broken := errors.New("no such column")
	_, err = template(t.Context(), server, key, func(ctx context.Context, url string) error {
		return errors.Join(run(ctx, url, "create table half ()"), broken)
	})
	require.ErrorIs(t, err, broken)

	url := Database(t, key, func(ctx context.Context, url string) error { return run(ctx, url, "create table whole ()") })
	require.Equal(t, 0, count(t, url, "select count(*) from pg_tables where tablename = 'half'"))
	require.Equal(t, 1, count(t, url, "select count(*) from pg_tables where tablename = 'whole'"))
}

func run(ctx context.Context, url, statement string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

func count(t *testing.T, url, query string) int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	var n int
	require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&n))
	require.NoError(t, conn.Close(t.Context()))
	return n
}
