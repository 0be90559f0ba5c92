package message_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn/altinn2"
	"github.com/altinn/dialogsync/internal/mapping/message"
	"github.com/altinn/dialogsync/pkg/correspondence"
)

var (
	now     = time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)
	created = time.Date(2025, time.June, 30, 10, 6, 9, 487_000_000, time.UTC)
	sender  = uuid.MustParse("6f0d7b0a-1c3e-4b52-9a57-2f1f3c0a2002")
	reader  = uuid.MustParse("6f0d7b0a-1c3e-4b52-9a57-2f1f3c0a1001")
)

// plain is a message that nothing is odd about.
func plain(alter ...func(*altinn2.Message)) *altinn2.Message {
	m := &altinn2.Message{
		ID: 30088189, ArchiveUnitReference: "AR20699019", ResourceID: "skd-migratedcorrespondence-3476-130314",
		Sender: altinn2.Sender{OrgNumber: "974761076", PartyUUID: sender}, MessageSender: "Skatteetaten", SendersReference: "ref-1",
		Recipient: altinn2.Recipient{Kind: altinn2.Organization, OrgNumber: "313414450", PartyID: 51843981},
		Content:   altinn2.Text{Language: "nb", Title: "Tilbakemelding", Body: "Tekst"}, Created: created, VisibleFrom: created,
		Events: []altinn2.Event{
			{Type: altinn2.EventCreated, At: created}, {Type: altinn2.EventPublished, At: created, PartyUUID: sender},
		},
		Deletion: altinn2.NotDeleted, ChangeSeq: 1,
	}
	for _, change := range alter {
		change(m)
	}
	return m
}

func make1(t testing.TB, m *altinn2.Message) (*correspondence.MigrateRequest, []message.Warning) {
	t.Helper()
	request, err := message.Make(message.Input{Message: m, Now: now})
	require.NoError(t, err)
	return request.Body, request.Warnings
}

func event(kind altinn2.EventType, at time.Time) altinn2.Event {
	return altinn2.Event{Type: kind, At: at, PartyUUID: reader}
}

func long(n int) string { return strings.Repeat("å", n) }
