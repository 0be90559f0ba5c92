package correspondence_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/pkg/correspondence"
)

var item = uuid.MustParse("019ba6eb-587b-7abc-8def-0123456789ab")

// request is what the service received.
type request struct {
	path, query, body, contentType string
	length                         int64
	chunked                        bool
}

// serve answers everything alike and tells what came.
func serve(t *testing.T, status int, body string) (*correspondence.Client, *[]request) {
	t.Helper()
	var seen []request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		seen = append(seen, request{
			r.URL.Path, r.URL.RawQuery, string(raw), r.Header.Get("Content-Type"), r.ContentLength, len(r.TransferEncoding) > 0,
		})
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return correspondence.New(server.URL+"/", nil, nil), &seen
}

func TestMigrateAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body   string
		repeat bool
		dialog *string
	}{
		"first":  {`{"correspondenceId":"` + item.String() + `","attachmentStatuses":[],"dialogId":null}`, false, nil},
		"live":   {`{"correspondenceId":"` + item.String() + `","attachmentStatuses":[],"dialogId":""}`, false, new(string)},
		"repeat": {`{"correspondenceId":"` + item.String() + `","attachmentStatuses":null,"dialogId":null}`, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, seen := serve(t, 200, test.body)
			answer, err := c.Migrate(t.Context(), &correspondence.MigrateRequest{IsMigrating: true})
			require.NoError(t, err)
			assert.Equal(t, test.repeat, answer.IsRepeat())
			assert.Equal(t, test.dialog, answer.DialogID)
			assert.Equal(t, "/correspondence/api/v1/migration/correspondence", (*seen)[0].path)
			assert.Contains(t, (*seen)[0].body, `"IsMigrating":true`)
		})
	}
	c, _ := serve(t, 200, `{}`)
	_, err := c.Migrate(t.Context(), &correspondence.MigrateRequest{})
	require.Error(t, err)
}

func TestErrors(t *testing.T) {
	t.Parallel()
	c, _ := serve(t, 400, `{"title":"Bad Request","status":400,"code":"CORR-01020","errorCode":1020,"traceId":"00-ab-01","detail":"Kari"}`)
	_, err := c.Migrate(t.Context(), &correspondence.MigrateRequest{Altinn2CorrespondenceID: 7})
	require.EqualError(t, err, "migrate message 7: correspondence answered 400: the title is empty (trace 00-ab-01)")
	assert.True(t, correspondence.HasCode(err, correspondence.CodeTitleEmpty))

	c, _ = serve(t, 400, `{"title":"Bad Request","status":400,"code":"STD-00000","errors":{"SyncedEvents[0].MailboxSupplier":["Kari's text"],"Kari Nordmann":["x"],"SyncedEvents":[]}}`)
	err = c.SyncStatusEvents(t.Context(), item, []correspondence.StatusEvent{{}})
	var answered *correspondence.Error
	require.ErrorAs(t, err, &answered)
	assert.Equal(t, []string{"?", "SyncedEvents[0].MailboxSupplier"}, answered.Paths)
	assert.NotContains(t, err.Error(), "Kari")
	assert.True(t, answered.Permanent())

	c, _ = serve(t, 404, `{"status":404,"errorCode":1001}`)
	err = c.SyncNotifications(t.Context(), item, []correspondence.Notification{{}})
	assert.True(t, correspondence.HasCode(err, correspondence.CodeNotFound))
	require.ErrorAs(t, err, &answered)
	assert.False(t, answered.Transient())
	c, _ = serve(t, 404, `<html>`)
	err = c.SyncForwardings(t.Context(), item, []correspondence.Forwarding{{}})
	require.ErrorAs(t, err, &answered)
	assert.True(t, answered.Transient(), "a gateway's 404 says nothing of the item")
	c, _ = serve(t, 501, ``)
	_, err = c.MakeAvailable(t.Context(), item)
	require.ErrorAs(t, err, &answered)
	assert.True(t, answered.Transient(), "17.4 makes no exception of the 5xx")
	c, _ = serve(t, 403, `{"errors":{"a":["b"]}}`)
	_, err = c.MakeAvailable(t.Context(), item)
	require.ErrorAs(t, err, &answered)
	assert.True(t, answered.Systemic())
}

func TestMakeAvailable(t *testing.T) {
	t.Parallel()
	other := uuid.New()
	answer := `{"statuses":[{"correspondenceId":"` + other.String() + `","dialogId":"","error":null,"ok":true},` +
		`{"correspondenceId":"` + item.String() + `","dialogId":"` + other.String() + `","error":null,"ok":true}]}`
	c, seen := serve(t, 200, answer)
	found, err := c.MakeAvailableAll(t.Context(), []uuid.UUID{item, other})
	require.NoError(t, err)
	assert.Equal(t, other, found[0].Dialog(), "in the order of the question")
	assert.Equal(t, uuid.Nil, found[1].Dialog())
	assert.JSONEq(t, `{"correspondenceIds":["`+item.String()+`","`+other.String()+`"],"createEvents":false}`, (*seen)[0].body)

	one, err := c.MakeAvailable(t.Context(), item)
	require.NoError(t, err)
	assert.True(t, one.OK)
	assert.JSONEq(t, `{"correspondenceId":"`+item.String()+`","createEvents":false}`, (*seen)[1].body)
	_, err = c.MakeAvailable(t.Context(), uuid.New())
	require.Error(t, err, "the answer does not tell of it")

	_, err = c.MakeOneAvailableWithEvents(t.Context(), time.Date(2025, 6, 30, 10, 6, 9, 487_600_000, time.UTC))
	require.NoError(t, err)
	assert.JSONEq(t, `{"batchSize":1,"createdFrom":"2025-06-30T10:06:09.487Z","createdTo":"2025-06-30T10:06:09.488Z","createEvents":true}`, (*seen)[3].body)
}

func TestSync(t *testing.T) {
	t.Parallel()
	c, seen := serve(t, 200, `"`+item.String()+`"`)
	require.NoError(t, c.SyncStatusEvents(t.Context(), item, []correspondence.StatusEvent{{Status: correspondence.StatusRead}}))
	var body map[string]any
	require.NoError(t, json.Unmarshal([]byte((*seen)[0].body), &body))
	assert.Equal(t, item.String(), body["correspondenceId"])
	assert.Len(t, body["syncedStatusEvents"], 1)
	assert.Equal(t, "/correspondence/api/v1/migration/correspondence/syncStatusEvent", (*seen)[0].path)
}

func TestUploadIsNeverChunked(t *testing.T) {
	t.Parallel()
	c, seen := serve(t, 200, `"`+item.String()+`"`)
	opened := 0
	open := func() (io.ReadCloser, int64, error) {
		opened++
		return io.NopCloser(io.MultiReader(strings.NewReader("ab"), strings.NewReader("c"))), 3, nil
	}
	id, err := c.UploadAttachment(t.Context(), correspondence.Attachment{Altinn2AttachmentID: "SS1", FileName: "å b.pdf"}, open)
	require.NoError(t, err)
	assert.Equal(t, item, id)
	got := (*seen)[0]
	assert.Equal(t, "abc", got.body)
	assert.EqualValues(t, 3, got.length)
	assert.False(t, got.chunked)
	assert.Equal(t, "application/octet-stream", got.contentType)
	assert.Contains(t, got.query, "fileName=%C3%A5+b.pdf")
	assert.NotContains(t, got.query, "displayName")
	assert.Equal(t, 1, opened)

	_, err = c.UploadAttachment(t.Context(), correspondence.Attachment{}, func() (io.ReadCloser, int64, error) {
		return io.NopCloser(strings.NewReader("")), 0, nil
	})
	require.ErrorIs(t, err, correspondence.ErrNoBytes)
	assert.Len(t, *seen, 1)
	_, err = c.UploadAttachment(t.Context(), correspondence.Attachment{}, func() (io.ReadCloser, int64, error) { return nil, 0, context.Canceled })
	require.ErrorIs(t, err, context.Canceled)
	assert.False(t, correspondence.HasCode(errors.New("x"), correspondence.CodeUpload))
}
