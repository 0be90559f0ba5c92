package authentication

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
)

const (
	// grace is for how long the exchange takes a Maskinporten token that has expired.
	grace = 10 * time.Second
	// abolishedHeader was for enterprise users.
	abolishedHeader = "X-Altinn-EnterpriseUser-Authentication"
	provider        = "maskinporten"

	consumerAuthority = "iso6523-actorid-upis"
	consumerPrefix    = "0192:"

	orgDigdir = "digdir"
	orgTest   = "ttd"
)

// exchange answers an Altinn token for a Maskinporten token. A refusal says nothing of its cause.
func (s *Service) exchange(w http.ResponseWriter, r *http.Request) {
	test, err := flag(r.URL.Query().Get("test"))
	if err != nil {
		answer.WriteProblem(w, answer.Problem{
			Status: http.StatusBadRequest, Title: "One or more validation errors occurred.",
			Errors: map[string][]string{"test": {err.Error()}},
		})
		return
	}
	token, ok := auth.Bearer(r.Header.Get("Authorization"))
	switch {
	case !ok:
		answer.Empty(w, http.StatusUnauthorized)
		return
	case !strings.EqualFold(r.PathValue("provider"), provider):
		answer.Text(w, http.StatusBadRequest, "Invalid TokenProvider: "+r.PathValue("provider"))
		return
	case r.Header.Get(abolishedHeader) != "":
		answer.Empty(w, http.StatusGone)
		return
	}
	signed, err := s.altinnToken(token, test, base(r)+openID)
	if err != nil {
		answer.Empty(w, http.StatusUnauthorized)
		return
	}
	if wantsJSON(r.Header.Values("Accept")) {
		answer.Text(w, http.StatusOK, signed)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(signed)))
	_, _ = w.Write([]byte(signed)) //nolint:gosec // a token in plain text; the client is gone if this fails
}

// flag reads a query parameter that is true or false, whatever its case; none is false.
func flag(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true":
		return true, nil
	case "", "false":
		return false, nil
	}
	return false, fmt.Errorf("The value '%s' is not valid.", text) //nolint:revive,staticcheck // a sentence of an answer
}

// altinnToken makes the Altinn token of a Maskinporten token (2.2).
func (s *Service) altinnToken(token string, test bool, issuer string) (string, error) {
	payload, err := s.config.Maskinporten.Verify(token)
	if err != nil {
		return "", err
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", fmt.Errorf("read claims: %w", err)
	}
	now := s.config.Now()
	expires, ok := claims["exp"].(float64)
	if !ok || !time.Unix(int64(expires), 0).Add(grace).After(now) {
		return "", errors.New("expired")
	}
	number, ok := consumerOf(claims)
	if !ok {
		return "", errors.New("no usable consumer")
	}
	for _, name := range [...]string{"aud", "iss", "client_amr", "sid"} {
		delete(claims, name)
	}
	scope, _ := claims["scope"].(string)
	if org, known := s.orgOf(number); known && strings.Contains(scope, auth.ScopeServiceOwner) {
		if test && org == orgDigdir {
			org = orgTest
		}
		claims["urn:altinn:org"] = org
	}
	claims["iss"], claims["urn:altinn:orgNumber"] = issuer, number
	claims["urn:altinn:authenticatemethod"], claims["urn:altinn:authlevel"] = provider, "3"
	claims["iat"], claims["nbf"] = now.Unix(), now.Unix()
	claims["exp"] = now.Add(time.Duration(s.lifetime.Load())).Unix()
	signed, err := s.config.Signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	return signed, nil
}

func (s *Service) orgOf(number string) (string, bool) {
	if s.config.OrgOf == nil {
		return "", false
	}
	return s.config.OrgOf(number)
}

// consumerOf is the organisation number of the consumer claim.
func consumerOf(claims map[string]any) (string, bool) {
	consumer, _ := claims["consumer"].(map[string]any)
	authority, _ := consumer["authority"].(string)
	id, _ := consumer["ID"].(string)
	number, ok := strings.CutPrefix(id, consumerPrefix)
	return number, ok && authority == consumerAuthority && len(number) == 9 && strings.Trim(number, "0123456789") == ""
}
