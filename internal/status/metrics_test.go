package status

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/db/dbtest"
)

// A scrape must not sum up all windows each time, nor tell old news.
func TestReportIsGoodForSomeScrapes(t *testing.T) {
	t.Parallel()
	known := Report{At: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)}
	c := cached{pool: dbtest.New(t), at: time.Now().Add(time.Hour), report: known}
	got, err := c.read(t.Context())
	require.NoError(t, err)
	assert.Equal(t, known, got)

	c.at = time.Now().Add(-keepReport)
	got, err = c.read(t.Context())
	require.NoError(t, err)
	assert.True(t, got.At.After(known.At))
	assert.Equal(t, got, c.report, "and is kept")

	c.at = time.Time{}
	c.pool.Close()
	_, err = c.read(t.Context())
	require.Error(t, err)
	assert.True(t, c.at.IsZero(), "a failure is not kept")
}
