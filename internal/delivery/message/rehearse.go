package message

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/pkg/correspondence"
)

// RehearsedAnswer is what Correspondence would most likely answer to a request of a dry run, for transport.Rehearsal; nil for requests to
// other services. Ids in it are made up.
func RehearsedAnswer(r *http.Request, body []byte) *http.Response {
	at := strings.Index(r.URL.Path, migrationPath)
	if at < 0 {
		return nil
	}
	switch r.URL.Path[at+len(migrationPath):] {
	case "/attachment":
		return answerOf(r, uuid.New())
	case "/correspondence":
		return answerOf(r, rehearsedMigrate())
	case "/makemigratedcorrespondenceavailable":
		return answerOf(r, rehearsedAvailable(body))
	default:
		var asked struct {
			ID uuid.UUID `json:"correspondenceId"`
		}
		_ = json.Unmarshal(body, &asked) // ours
		return answerOf(r, asked.ID)
	}
}

const migrationPath = "/correspondence/api/v1/migration"

func rehearsedMigrate() correspondence.Migrated {
	return correspondence.Migrated{
		CorrespondenceID: uuid.Must(uuid.NewV7()), AttachmentStatuses: []correspondence.AttachmentStatus{},
	}
}

func rehearsedAvailable(body []byte) any {
	var asked struct {
		ID  uuid.UUID   `json:"correspondenceId"`
		IDs []uuid.UUID `json:"correspondenceIds"`
	}
	_ = json.Unmarshal(body, &asked) // ours
	if asked.ID != uuid.Nil {
		asked.IDs = []uuid.UUID{asked.ID}
	}
	statuses := make([]correspondence.Availability, 0, len(asked.IDs))
	for _, id := range asked.IDs {
		dialog := uuid.Must(uuid.NewV7()).String()
		statuses = append(statuses, correspondence.Availability{CorrespondenceID: id, DialogID: &dialog, OK: true})
	}
	return map[string]any{"statuses": statuses}
}

func answerOf(r *http.Request, body any) *http.Response {
	encoded, _ := json.Marshal(body) //nolint:errchkjson // ids and texts
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(string(encoded))), ContentLength: int64(len(encoded)),
	}
}
