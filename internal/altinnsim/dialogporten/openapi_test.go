package dialogporten_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
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

// document is the published OpenAPI document, read once; nil where it is not beside the repository.
var document = sync.OnceValues(func() (*openapi3.T, error) {
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
	return doc, nil
})

// contract finds the document's operations.
var contract = sync.OnceValues(func() (routers.Router, error) {
	doc, err := document()
	if err != nil || doc == nil {
		return nil, err
	}
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
	exercised.Store(exchange{r.Method, route.Path, response.StatusCode}, true)
	// The function is the answer to the document's security requirements.
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

// exchange is an answer of one of the document's operations.
type exchange struct {
	method, path string
	status       int
}

// exercised are the exchanges that tests have held against the document.
var exercised sync.Map

// TestMain wants every answer that the document describes to have been seen, when all tests were run.
func TestMain(m *testing.M) {
	code := m.Run()
	if only := flag.Lookup("test.run"); code == 0 && only.Value.String() == "" {
		for _, missing := range unexercised() {
			fmt.Fprintln(os.Stderr, "no test holds this answer against the OpenAPI document: "+missing)
			code = 1
		}
	}
	os.Exit(code)
}

// elsewhere are documented answers that this package does not give: those of other APIs, of maintenance, which is a fault
// of the mounting simulator, and two that the document has and the reference has not (Chapter 13).
func elsewhere(path string, status int) bool {
	switch {
	case status == http.StatusServiceUnavailable,
		status == http.StatusGone && strings.HasSuffix(path, "/{dialogId}/endusercontext/systemlabels"),
		status == http.StatusNotFound && strings.HasSuffix(path, "/bulkset"):
		return true
	}
	return strings.Contains(path, "/enduser/") || !strings.HasPrefix(path, "/api/v1/serviceowner/") && !strings.HasSuffix(path, "/metadata/limits")
}

func unexercised() []string {
	doc, err := document()
	if err != nil || doc == nil {
		return nil
	}
	var missing []string
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			for status := range operation.Responses.Map() {
				code, err := strconv.Atoi(status)
				if err != nil || elsewhere(path, code) {
					continue
				}
				if _, seen := exercised.Load(exchange{method, path, code}); !seen {
					missing = append(missing, method+" "+path+" "+status)
				}
			}
		}
	}
	slices.Sort(missing)
	return missing
}
