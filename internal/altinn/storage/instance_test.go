package storage_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/transport"
)

const instancePath = listPath + "/" + instanceID

func TestGetInstanceReadsTheAnswersID(t *testing.T) {
	t.Parallel()
	_, client := newService(t, map[string]http.HandlerFunc{
		"GET " + instancePath: answerJSON(200, `{"id":"50009999/`+guid+`","org":"ttd","status":{"isArchived":true}}`),
	})
	instance, err := client.GetInstance(t.Context(), theInstance(t))
	require.NoError(t, err)
	require.Equal(t, "50009999/"+guid, instance.ID)
}

func TestGetInstanceRefusesAnotherInstance(t *testing.T) {
	t.Parallel()
	_, client := newService(t, map[string]http.HandlerFunc{
		"GET " + instancePath: answerJSON(200, `{"id":"50001337/0f1d2c3b-4a59-4687-9695-a4b3c2d1e0f9"}`),
	})
	_, err := client.GetInstance(t.Context(), theInstance(t))
	require.ErrorIs(t, err, storage.ErrOtherInstance)
}

func TestOnlyOne404MeansGone(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer http.HandlerFunc
		gone   bool
	}{
		"gone":                        {answerJSON(404, `"Unable to find instance `+guid+`"`), true},
		"gone, GUID in capitals":      {answerJSON(404, `"Unable to find instance `+strings.ToUpper(guid)+`"`), true},
		"read failed":                 {answerJSON(404, `"Unable to find instance `+instanceID+`: Exception while reading from stream"`), false},
		"read failed, short":          {answerJSON(404, `"Unable to find instance `+guid+`: timeout"`), false},
		"read failed, nothing behind": {answerJSON(404, `"Unable to find instance `+guid+`: "`), false},
		"another instance":            {answerJSON(404, `"Unable to find instance 0f1d2c3b-4a59-4687-9695-a4b3c2d1e0f9"`), false},
		"with the party":              {answerJSON(404, `"Unable to find instance `+instanceID+`"`), false},
		"no body":                     {answerJSON(404, ``), false},
		"HTML":                        {answer(404, "text/html", "<html>Unable to find instance "+guid), false},
		"no JSON":                     {answer(404, "text/plain", "Unable to find instance "+guid), false},
		"problem":                     {answer(404, "application/problem+json", `{"title":"Unable to find instance `+guid+`"}`), false},
		"null":                        {answerJSON(404, `null`), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client := newService(t, map[string]http.HandlerFunc{"GET " + instancePath: test.answer})
			_, err := client.GetInstance(t.Context(), theInstance(t))
			if test.gone {
				require.ErrorIs(t, err, storage.ErrInstanceGone)
				require.Equal(t, transport.Gone, transport.Classify(err))
				return
			}
			require.NotErrorIs(t, err, storage.ErrInstanceGone)
			require.Equal(t, transport.Transient.String(), transport.Classify(err).String())
		})
	}
}

func TestEventsAreAskedForByRepeatedKeys(t *testing.T) {
	t.Parallel()
	s, client := newService(t, map[string]http.HandlerFunc{
		"GET " + instancePath + "/events": answerJSON(200, `{"instanceEvents":[{"id":"a","eventType":"Created"},{"id":"b","eventType":"Saved"}]}`),
	})
	events, err := client.Events(t.Context(), theInstance(t))
	require.NoError(t, err)
	require.Len(t, events, 2)
	require.Equal(t, "eventTypes=Created&eventTypes=Deleted&eventTypes=Saved&eventTypes=Submited&eventTypes=Undeleted"+
		"&eventTypes=SubstatusUpdated&eventTypes=Signed&eventTypes=SentToSign&eventTypes=SentToPayment&eventTypes=SentToSendIn"+
		"&eventTypes=SentToFormFill&eventTypes=InstanceForwarded&eventTypes=InstanceRightRevoked"+
		"&eventTypes=NotificationSentSms&eventTypes=MessageArchived&eventTypes=MessageRead", s.requests[0].URL.RawQuery)
}

func TestEventsOfNoInstance(t *testing.T) {
	t.Parallel()
	_, client := newService(t, map[string]http.HandlerFunc{
		"GET " + instancePath + "/events": answerJSON(200, `{"instanceEvents":[]}`),
	})
	events, err := client.Events(t.Context(), theInstance(t))
	require.NoError(t, err)
	require.NotNil(t, events)
	require.Empty(t, events)

	_, without := newService(t, nil)
	events, err = without.Events(t.Context(), theInstance(t))
	require.NoError(t, err)
	require.Nil(t, events)
}

func TestWriteDialogID(t *testing.T) {
	t.Parallel()
	var body string
	_, client := newService(t, map[string]http.HandlerFunc{
		"PUT " + instancePath + "/datavalues": func(w http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			body = string(raw)
			w.WriteHeader(http.StatusOK)
		},
	})
	err := client.WriteDialogID(t.Context(), theInstance(t), uuid.MustParse("019cad9c-857e-712c-ba01-44e375b5bc79"))
	require.NoError(t, err)
	require.JSONEq(t, `{"values":{"dialog.id":"019cad9c-857e-712c-ba01-44e375b5bc79"}}`, body)

	_, failing := newService(t, map[string]http.HandlerFunc{"PUT " + instancePath + "/datavalues": answerJSON(500, `"x"`)})
	err = failing.WriteDialogID(t.Context(), theInstance(t), uuid.New())
	require.Equal(t, transport.Transient, transport.Classify(err))
}
