package mapping_test

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/mapping"
)

func TestTitle(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		title   altinn.OrderedTexts
		details altinn.OrderedTexts
		texts   map[string]map[string]string
		want    []string // language, text, …
	}{
		"of the application, in document order": {
			title: altinn.OrderedTexts{{Key: "en", Value: "E"}, {Key: "nb", Value: "B"}},
			want:  []string{"en", "E", "nb", "B"},
		},
		"blank and unknown languages are left out": {
			title: altinn.OrderedTexts{{Key: "no", Value: "N"}, {Key: "NB", Value: "B"}, {Key: "nn", Value: " "}, {Key: "nbx", Value: "X"}},
			want:  []string{"NB", "B"},
		},
		"presentation texts in document order, blank ones skipped": {
			title:   altinn.OrderedTexts{{Key: "nb", Value: "B"}},
			details: altinn.OrderedTexts{{Key: "z", Value: "1"}, {Key: "a", Value: "\t"}, {Key: "b", Value: "2"}},
			want:    []string{"nb", "B, 1, 2"},
		},
		"convention texts replace all languages": {
			title:   altinn.OrderedTexts{{Key: "nb", Value: "B"}, {Key: "en", Value: "E"}},
			details: altinn.OrderedTexts{{Key: "z", Value: "1"}},
			texts:   map[string]map[string]string{"nn": {"dp.title": "K"}},
			want:    []string{"nn", "K, 1"},
		},
		"just fitting": {
			title:   altinn.OrderedTexts{{Key: "nb", Value: strings.Repeat("å", 252)}},
			details: altinn.OrderedTexts{{Key: "z", Value: "1"}},
			want:    []string{"nb", strings.Repeat("å", 252) + ", 1"},
		},
		"one too long": {
			title:   altinn.OrderedTexts{{Key: "nb", Value: strings.Repeat("å", 253)}},
			details: altinn.OrderedTexts{{Key: "z", Value: "1"}},
			want:    []string{"nb", strings.Repeat("å", 252) + "..."},
		},
		"a pair is not cut in half": {
			title: altinn.OrderedTexts{{Key: "nb", Value: strings.Repeat("a", 251) + "😀😀😀"}},
			want:  []string{"nb", strings.Repeat("a", 251) + "..."},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := draft(t)
			in.Application.Title = c.title
			in.Instance.PresentationTexts = c.details
			in.Texts = texts(c.texts)
			assert.Equal(t, localized(c.want...), mustCreate(t, in).Body.Content.Title.Value)
		})
	}
}

func TestTitleMissing(t *testing.T) {
	t.Parallel()
	in := draft(t)
	in.Application.Title = nil
	_, err := mapping.Create(in)
	requireReason(t, err, mapping.ReasonTitleMissing)

	in.Existing = stored(t, mustCreate(t, draft(t)).Body)
	_, err = mapping.Update(in)
	requireReason(t, err, mapping.ReasonTitleMissing)

	in.Application.MessageBoxConfig = &altinn.MessageBoxConfig{
		SyncAdapterSettings: &altinn.SyncAdapterSettings{DisableSyncContentTitle: true},
	}
	change, err := mapping.Update(in)
	require.NoError(t, err, "a title that is kept need not be made")
	assert.Equal(t, in.Existing.Content.Title, change.Body.Content.Title)
}

func TestConventionTexts(t *testing.T) {
	t.Parallel()
	in := draft(t)
	in.Texts = texts(map[string]map[string]string{
		"nb": {
			"dp.summary.Task_1.awaitinginitialuserinput": "  ",
			"dp.summary.Task_1":                          "oppgave",
			"dp.summary":                                 "alle",
			"dp.additionalinfo":                          strings.Repeat("x", 1024),
		},
		"nn": {"dp.summary._any_.awaitinginitialuserinput": "status", "dp.summary": "alle"},
		"en": {"dp.summary.task_1": "wrong case"},
		"no": {"dp.summary": "unknown language"},
	})
	content := mustCreate(t, in).Body.Content
	assert.Equal(t, localized("nb", "oppgave", "nn", "status"), content.Summary.Value)
	assert.Equal(t, localized("nb", strings.Repeat("x", 1020)+"..."), content.AdditionalInfo.Value)
	assert.Equal(t, "text/plain", content.AdditionalInfo.MediaType)
	assert.Nil(t, content.ExtendedStatus)
}

func TestRepeatedAndMissingTextIDs(t *testing.T) {
	t.Parallel()
	in := draft(t)
	in.Texts = mapping.NewTexts(altinn.TextResource{Language: "nb", Resources: altinn.List[altinn.TextElement]{
		{Value: "no id"},
		{ID: new("dp.summary"), Value: ""},
		{ID: new("dp.summary"), Value: "second"},
	}})
	summary := mustCreate(t, in).Body.Content.Summary.Value
	assert.Equal(t, "Innsendingen er klar for å fylles ut.", summary[0].Value, "the first of a repeated id counts, blank or not")
}

func TestSubstatus(t *testing.T) {
	t.Parallel()
	in := draft(t)
	in.Instance.Status.Substatus = &altinn.Substatus{Label: "l", Description: "d"}
	in.Texts = texts(map[string]map[string]string{
		"nb": {"l": "En altfor lang tekst for en status", "dp.summary": "not used"},
		"no": {"l": "any language"},
	})
	content := mustCreate(t, in).Body.Content
	assert.Equal(t, localized("nb", "d"), content.Summary.Value, "an unknown key is its own text")
	assert.Equal(t, localized("nb", "En altfor lang tekst f...", "no", "any language"), content.ExtendedStatus.Value)
	assert.Len(t, utf16.Encode([]rune(content.ExtendedStatus.Value[0].Value)), 25)
}
