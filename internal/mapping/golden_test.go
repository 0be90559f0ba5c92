package mapping_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/pkg/dialogid"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// updateGolden is the variable that makes TestGolden write what it would compare with.
const updateGolden = "UPDATE_GOLDEN"

// goldenInput is testdata/*/input.json: what a person needs to see to understand dialog.json beside it.
type goldenInput struct {
	Party       string                            `json:"party"`
	Actors      map[int64]string                  `json:"actors"`
	Application *altinn.Application               `json:"application"`
	Texts       []altinn.TextResource             `json:"texts"`
	Instance    *altinn.Instance                  `json:"instance"`
	Events      altinn.List[altinn.InstanceEvent] `json:"events"`
	Existing    *dialogporten.Dialog              `json:"existing"`
	Migration   bool                              `json:"migration"`
}

func (g goldenInput) input(t testing.TB) mapping.Input {
	t.Helper()
	id, err := g.Instance.InstanceID()
	require.NoError(t, err)
	return mapping.Input{
		DialogID:    dialogid.V7(id.GUID, g.Instance.Created.Time),
		Instance:    g.Instance,
		Events:      g.Events,
		Application: g.Application,
		Texts:       mapping.NewTexts(g.Texts...),
		Party:       g.Party,
		Actors:      g.Actors,
		Existing:    g.Existing,
		Settings: mapping.Settings{
			AltinnHost:              "tt02.altinn.no",
			AdapterURL:              "https://platform.tt02.altinn.no/storage/dialogporten",
			SubmissionTransmissions: true,
		},
		Migration: g.Migration,
		Attempt:   1,
		Now:       time.Date(2026, 6, 12, 10, 0, 0, 0, time.UTC),
	}
}

func readGolden(t testing.TB, folder string) mapping.Input {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, "input.json"))
	require.NoError(t, err)
	var golden goldenInput
	require.NoError(t, json.Unmarshal(content, &golden))
	return golden.input(t)
}

func TestGolden(t *testing.T) {
	t.Parallel()
	inputs, err := filepath.Glob("testdata/*/input.json")
	require.NoError(t, err)
	require.NotEmpty(t, inputs)
	for _, path := range inputs {
		folder := filepath.Dir(path)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			in := readGolden(t, folder)
			var body any
			if in.Existing == nil {
				body = mustCreate(t, in).Body
			} else {
				body = mustUpdate(t, in).Body
			}
			got, err := json.MarshalIndent(body, "", "  ")
			require.NoError(t, err)
			got = append(got, '\n')
			file := filepath.Join(folder, "dialog.json")
			if os.Getenv(updateGolden) != "" {
				require.NoError(t, os.WriteFile(file, got, 0o600))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, string(want), string(got))
		})
	}
}
