package transport_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/transport"
	"github.com/altinn/dialogsync/pkg/dialogporten"
	"github.com/altinn/dialogsync/pkg/maskinporten"
)

func TestClassifyStatus(t *testing.T) {
	t.Parallel()
	keys := func(names ...string) map[string][]string {
		errs := map[string][]string{}
		for _, name := range names {
			errs[name] = []string{"x"}
		}
		return errs
	}
	tests := []struct {
		status int
		errors map[string][]string
		want   transport.Class
	}{
		{status: 400, errors: keys("dto.party"), want: transport.Permanent},
		{status: 401, want: transport.Systemic},
		{status: 403, want: transport.Systemic},
		{status: 403, errors: keys("Forbidden"), want: transport.Permanent},
		{status: 404, errors: keys("DialogEntity"), want: transport.NotFound},
		{status: 408, want: transport.Transient},
		{status: 409, errors: keys(""), want: transport.Conflict},
		{status: 409, errors: keys("IdempotentKey"), want: transport.Conflict},
		{status: 410, errors: keys("DialogEntity"), want: transport.Gone},
		{status: 412, want: transport.Conflict},
		{status: 413, want: transport.Permanent},
		{status: 415, want: transport.Permanent},
		{status: 422, errors: keys("Dialog"), want: transport.Conflict},
		{status: 422, errors: keys("ServiceResource"), want: transport.Transient},
		{status: 422, errors: keys("Org", "ServiceResource"), want: transport.Transient},
		{status: 422, errors: keys("ActorId"), want: transport.Transient},
		{status: 422, errors: keys("ActorId", "DueAt"), want: transport.Permanent},
		{status: 422, errors: keys("DueAt"), want: transport.Permanent},
		{status: 422, want: transport.Permanent},
		{status: 429, want: transport.Transient},
		{status: 500, want: transport.Transient},
		{status: 501, want: transport.Permanent},
		{status: 502, want: transport.Transient},
		{status: 503, want: transport.Systemic},
		{status: 504, want: transport.Transient},
		{status: 302, want: transport.Permanent},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%d %v", test.status, test.errors), func(t *testing.T) {
			t.Parallel()
			err := fmt.Errorf("create dialog: %w", &dialogporten.Error{Status: test.status, Errors: test.errors})
			require.Equal(t, test.want.String(), transport.Classify(err).String())
		})
	}
}

func TestClassifyOtherErrors(t *testing.T) {
	t.Parallel()
	sendFailed := func(cause error) error { return &url.Error{Op: "Get", URL: "https://x.example", Err: cause} }
	var wrongType struct {
		N int `json:"n"`
	}
	var notAnID *altinn.InstanceIDError
	_, idErr := altinn.ParseInstanceID("x")
	require.ErrorAs(t, idErr, &notAnID)
	tests := map[string]struct {
		err  error
		want transport.Class
	}{
		"none":                       {nil, transport.OK},
		"our own hanging up":         {sendFailed(context.Canceled), transport.Canceled},
		"deadline":                   {sendFailed(context.DeadlineExceeded), transport.Transient},
		"read deadline":              {sendFailed(os.ErrDeadlineExceeded), transport.Transient},
		"refused":                    {sendFailed(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}), transport.Systemic},
		"no such host":               {sendFailed(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host"}}), transport.Systemic},
		"reset":                      {sendFailed(&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}), transport.Transient},
		"server hung up":             {sendFailed(io.EOF), transport.Transient},
		"cut off":                    {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), transport.Transient},
		"not JSON":                   {json.Unmarshal([]byte("<html>"), &wrongType), transport.Transient},
		"JSON of another shape":      {json.Unmarshal([]byte(`{"n":"x"}`), &wrongType), transport.Permanent},
		"malformed URL":              {&url.Error{Op: "parse", URL: "::", Err: errors.New("x")}, transport.Permanent},
		"bad data":                   {idErr, transport.Permanent},
		"database":                   {fmt.Errorf("insert: %w", &pgconn.PgError{Code: "57P01"}), transport.Transient},
		"token refused":              {fmt.Errorf("token: %w", &maskinporten.Error{Endpoint: "maskinporten", Status: 400}), transport.Systemic},
		"token endpoint down":        {&maskinporten.UnreachableError{Endpoint: "exchange", Err: io.EOF}, transport.Systemic},
		"token wait hung up":         {&maskinporten.UnreachableError{Endpoint: "exchange", Err: context.Canceled}, transport.Canceled},
		"status says, cause differs": {&transport.StatusError{Status: http.StatusNotFound, Cause: transport.Transient}, transport.Transient},
		"no revision":                {dialogporten.ErrNoRevision, transport.Transient},
		"the gravest of several": {
			errors.Join(context.Canceled, &dialogporten.Error{Status: 503}, &dialogporten.Error{Status: 404}), transport.Systemic,
		},
		"siblings canceled by one": {
			errors.Join(sendFailed(context.Canceled), &dialogporten.Error{Status: 500}), transport.Transient,
		},
		"a label beside its cause": {fmt.Errorf("%w: %w", errors.New("read instance"), &dialogporten.Error{Status: 500}), transport.Transient},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want.String(), transport.Classify(test.err).String())
		})
	}
}
