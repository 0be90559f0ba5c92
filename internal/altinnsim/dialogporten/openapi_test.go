package dialogporten_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"
)

const openAPIFile = "../../../../shared/reference/dialogporten-serviceowner.openapi.json"

// contract is the published OpenAPI document, read once; nil where it is not beside the repository.
var contract = sync.OnceValues(func() (routers.Router, error) {
	raw, err := os.ReadFile(openAPIFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, err
	}
	// Its quirks are told in Chapter 17: a byte-order mark, and ids that kin-openapi takes for UUIDs up to version 5.
	doc, err := openapi3.NewLoader().LoadFromData(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")))
	if err != nil {
		return nil, err
	}
	openapi3.DefineStringFormatValidator("guid", openapi3.NewRegexpFormatValidator(
		`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`))
	return gorillamux.NewRouter(doc)
})

// requireContract holds an exchange against the document: every answer that it describes, and every request that was
// taken. Undocumented: isSilentUpdate, updateFormSavedActivityTime, some answers (Chapter 17).
func requireContract(t *testing.T, r *http.Request, body []byte, response *http.Response, content []byte, lax bool) {
	t.Helper()
	router, err := contract()
	require.NoError(t, err)
	if router == nil {
		return
	}
	request := r.Clone(t.Context())
	request.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	request.Body = io.NopCloser(bytes.NewReader(body))
	route, parameters, err := router.FindRoute(request)
	if err != nil {
		return
	}
	// The anonymous function is the answer to the document's security requirements.
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}
	input := &openapi3filter.RequestValidationInput{Request: request, PathParams: parameters, Route: route, Options: options}
	if response.StatusCode/100 == 2 && !lax {
		require.NoError(t, openapi3filter.ValidateRequest(t.Context(), input), "%s %s %s", r.Method, r.URL, body)
	}
	documented := route.Operation.Responses.Status(response.StatusCode)
	if documented == nil || len(documented.Value.Content) == 0 || len(content) == 0 {
		return
	}
	mediaType, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	header := response.Header.Clone()
	if documented.Value.Content.Get(mediaType) == nil && strings.HasPrefix(mediaType, "application/problem") {
		header.Set("Content-Type", "application/json") // PATCH, whose problems are documented as such
	}
	require.NoError(t, openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: response.StatusCode, Header: header,
		Body: io.NopCloser(bytes.NewReader(content)), Options: options,
	}), "%s %s %s", r.Method, r.URL, content)
}

// The whole of a read model is in the document and the other way round: no member of a full dialog is missing.
func TestReadModelAgainstOpenAPI(t *testing.T) {
	t.Parallel()
	router, err := contract()
	require.NoError(t, err)
	if router == nil {
		t.Skip("no OpenAPI document beside the repository")
	}
	s := newSimulation(t)
	d := s.get(s.create(s.full()))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, dialogs+"/"+d["id"].(string), nil)
	require.NoError(t, err)
	route, _, err := router.FindRoute(request)
	require.NoError(t, err)
	schema := route.Operation.Responses.Status(http.StatusOK).Value.Content.Get("application/json").Schema.Value
	for name := range schema.Properties {
		if !slices.Contains([]string{"deletedAt", "visibleFrom"}, name) {
			require.Contains(t, d, name)
		}
	}
}
