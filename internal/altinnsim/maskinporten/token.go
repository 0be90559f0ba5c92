package maskinporten

import (
	"cmp"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

const grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// grantError is a refusal in the words of OAuth (RFC 6749, 5.2).
type grantError struct {
	status            int
	code, description string
}

func invalidGrant(description string) *grantError {
	return &grantError{status: http.StatusBadRequest, code: "invalid_grant", description: description}
}

func invalidScope(description string) *grantError {
	return &grantError{status: http.StatusBadRequest, code: "invalid_scope", description: description}
}

func invalidRequest(description string) *grantError {
	return &grantError{status: http.StatusBadRequest, code: "invalid_request", description: description}
}

// token trades an assertion for an access token.
func (s *Service) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	granted, refusal := s.grant(w, r)
	if refusal != nil {
		answer.JSON(w, refusal.status, map[string]string{
			"error": refusal.code, "error_description": refusal.description + " (trace_id: " + traceID() + ")",
		})
		return
	}
	answer.JSON(w, http.StatusOK, granted)
}

// granted is the answer to a good assertion.
type granted struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string `json:"scope"`
}

// maxForm bounds what is read of a request, in bytes.
const maxForm = 1 << 20

func (s *Service) grant(w http.ResponseWriter, r *http.Request) (*granted, *grantError) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		return nil, invalidRequest("The content type must be application/x-www-form-urlencoded.")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, invalidRequest("The form cannot be read.")
	}
	switch {
	case r.PostForm.Get("grant_type") == "":
		return nil, invalidRequest("grant_type is required.")
	case r.PostForm.Get("grant_type") != grantType:
		return nil, &grantError{status: http.StatusBadRequest, code: "unsupported_grant_type", description: "Unknown grant_type."}
	case len(r.PostForm["assertion"]) != 1 || r.PostForm.Get("assertion") == "":
		return nil, invalidRequest("One assertion is required.")
	}
	claims, c, refusal := s.authenticated(r.PostForm.Get("assertion"))
	if refusal != nil {
		return nil, refusal
	}
	base := s.url(r)
	if refusal := s.check(claims, c, base); refusal != nil {
		return nil, refusal
	}
	life := s.life(c)
	signed, err := s.config.Signer.Sign(accessToken(claims, c, base, s.config.Now(), life))
	if err != nil {
		return nil, &grantError{status: http.StatusInternalServerError, code: "server_error", description: "The token could not be made."}
	}
	return &granted{AccessToken: signed, TokenType: "Bearer", ExpiresIn: int(life / time.Second), Scope: claims.Scope}, nil
}

// accessToken are an access token's claims. A client that acts for somebody is the supplier, and who delegated to it the
// consumer.
func accessToken(claims assertion, c *client, issuer string, now time.Time, life time.Duration) map[string]any {
	out := map[string]any{
		"iss": issuer, "aud": cmp.Or(claims.Resource, "unspecified"), "scope": claims.Scope, "client_id": c.ID,
		"client_amr": "private_key_jwt", "token_type": "Bearer", "jti": uuid.NewString(),
		"iat": now.Unix(), "exp": now.Add(life).Unix(),
		"consumer": organisation(cmp.Or(claims.ConsumerOrg, c.OrgNumber)),
	}
	if claims.ConsumerOrg != "" {
		out["supplier"] = organisation(c.OrgNumber)
	}
	return out
}

func organisation(number string) map[string]string {
	return map[string]string{"authority": "iso6523-actorid-upis", "ID": "0192:" + number}
}

func traceID() string { return strings.ReplaceAll(uuid.NewString(), "-", "") }
