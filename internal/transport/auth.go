package transport

import (
	"context"
	"fmt"
	"net/http"
)

// TokenSource gives bearer tokens. Both methods are called by many goroutines at once and share one renewal.
type TokenSource interface {
	// Token gives a token that is valid for a while yet.
	Token(ctx context.Context) (string, error)
	// Refresh gives a token other than refused, which a service did not accept. Callers that were refused the same token
	// share one renewal.
	Refresh(ctx context.Context, refused string) (string, error)
}

// auth puts the bearer token on requests to trusted hosts. A 401 forces a new token and one repetition (Storage
// reference, 2.5); a second 401 is the caller's to see.
type auth struct {
	next   http.RoundTripper
	source TokenSource
	hosts  Hosts
}

func (a auth) RoundTrip(r *http.Request) (*http.Response, error) {
	if !a.hosts.Trusted(r.URL) {
		return a.next.RoundTrip(r)
	}
	token, err := a.source.Token(r.Context())
	if err != nil {
		closeBody(r)
		return nil, fmt.Errorf("token: %w", err)
	}
	response, err := a.next.RoundTrip(withBearer(r, token))
	if err != nil || response.StatusCode != http.StatusUnauthorized || !isReplayable(r) {
		return response, err
	}
	fresh, err := a.source.Refresh(r.Context(), token)
	if err != nil {
		discard(response)
		return nil, fmt.Errorf("refresh token: %w", err)
	}
	again, err := replay(r)
	if err != nil {
		return response, nil //nolint:nilerr // The first answer stands when the body cannot be had again.
	}
	discard(response)
	return a.next.RoundTrip(withBearer(again, fresh))
}

func withBearer(r *http.Request, token string) *http.Request {
	clone := r.Clone(r.Context())
	clone.Header.Set("Authorization", "Bearer "+token)
	return clone
}
