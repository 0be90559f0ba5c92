package dialogid_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/altinn/dialogsync/pkg/dialogid"
)

func TestCorrespondence(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)
	created := time.Date(2025, time.June, 30, 10, 6, 9, 487_000_000, time.UTC)
	for item, want := range map[string]string{
		"0b1c2d3e-4f50-4a61-8b72-93a4b5c6d7e8": "0197c04d-204f-7dcf-ad56-ea7199b09d92",
		"019ba6eb-587b-7abc-8def-0123456789ab": "019ba6eb-587b-76f0-ae66-835e195fa496",
	} {
		assert.Equal(t, want, dialogid.Correspondence(uuid.MustParse(item), created, now.AddDate(1, 0, 0)).String())
	}
}

func TestCorrespondenceNeverLiesAhead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)
	item := uuid.MustParse("0b1c2d3e-4f50-4a61-8b72-93a4b5c6d7e8")
	assert.Equal(t, now.Add(15*time.Second), dialogid.Time(dialogid.Correspondence(item, now.Add(15*time.Second), now)))
	assert.Equal(t, now, dialogid.Time(dialogid.Correspondence(item, now.Add(15*time.Second+time.Millisecond), now)))
	assert.Equal(t, time.UnixMilli(0).UTC(), dialogid.Time(dialogid.Correspondence(item, time.Unix(-5, 0), now)))
}

func TestMessageKey(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Int32().Draw(t, "number")
		created := time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "created"))
		key := dialogid.Message(number, created)
		require.True(t, dialogid.IsV7(key))
		require.True(t, created.Equal(dialogid.Time(key)))
		back, ok := dialogid.MessageNumber(key)
		require.True(t, ok)
		require.Equal(t, number, back)
	})
	_, ok := dialogid.MessageNumber(uuid.MustParse("0197823f-91b7-712c-ba01-44e375b5bc79"))
	assert.False(t, ok)
}
