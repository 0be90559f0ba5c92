package answer

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// IsJSON says whether a request's media type is one that JSON is read from.
func IsJSON(r *http.Request) bool {
	mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	return mediaType == "application/json" || mediaType == "text/json" || strings.HasSuffix(mediaType, "+json")
}

// ReadJSON reads a request's body. What is no JSON is answered: 415 by its media type, 400 by what it holds.
func ReadJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	if !IsJSON(r) {
		WriteProblem(w, Problem{Status: http.StatusUnsupportedMediaType})
		return false
	}
	raw, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(raw, into) // the whole body: nothing may follow the value
	}
	if err != nil {
		WriteProblem(w, Problem{
			Title: "One or more validation errors occurred.", Status: http.StatusBadRequest,
			Errors: map[string][]string{"$": {"The JSON value could not be converted."}},
		})
		return false
	}
	return true
}
