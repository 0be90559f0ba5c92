package mapping_test

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/mapping"
)

// A text of ten million characters is cut like any other that is too long.
func TestHugeTextsAreCut(t *testing.T) {
	t.Parallel()
	const tenMillion = 10_000_000
	huge := strings.Repeat("æ", tenMillion)
	in := draft(t)
	in.Instance.Status.Substatus = &altinn.Substatus{Label: huge, Description: huge}
	in.Instance.PresentationTexts = altinn.OrderedTexts{{Key: "navn", Value: huge}}
	in.Instance.Data = altinn.List[altinn.DataElement]{{
		ID: "9a3b6f0e-1c2d-4e5f-8a9b-0c1d2e3f4a5b", DataType: "vedlegg", Filename: huge + ".pdf", Created: in.Instance.Created,
	}}
	key := "dp.additionalinfo"
	in.Texts = mapping.NewTexts(altinn.TextResource{Language: "nb", Resources: altinn.List[altinn.TextElement]{{ID: &key, Value: huge}}})

	made := mustCreate(t, in)
	longest := func(limit int, texts ...string) {
		t.Helper()
		for _, text := range texts {
			assert.Len(t, utf16.Encode([]rune(text)), limit)
		}
	}
	content := made.Body.Content
	longest(255, content.Title.Value[0].Value, content.Summary.Value[0].Value, made.Body.Attachments[0].DisplayName[0].Value)
	longest(25, content.ExtendedStatus.Value[0].Value)
	longest(1023, content.AdditionalInfo.Value[0].Value)
}
