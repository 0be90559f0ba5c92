package dialogporten

import (
	"net/http"
	"strings"
)

// Filter values that a search takes (Chapters 10 and 15).
const (
	maxFilterValues   = 20
	maxEndUserParties = 100
)

// serveLimits is GET /api/v1/metadata/limits, which needs no token.
func serveLimits(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if !acceptsJSON(r.Header.Values("Accept")) {
		(&problem{status: http.StatusNotAcceptable}).write(w, r)
		return
	}
	writeJSON(w, http.StatusOK, []byte(`{"endUserSearch":{"maxPartyFilterValues":`+itoa(maxEndUserParties)+
		`,"maxServiceResourceFilterValues":`+itoa(maxFilterValues)+`,"maxOrgFilterValues":`+itoa(maxFilterValues)+
		`,"maxExtendedStatusFilterValues":`+itoa(maxFilterValues)+`},"serviceOwnerSearch":{"maxPartyFilterValues":`+
		itoa(maxFilterValues)+`,"maxServiceResourceFilterValues":`+itoa(maxFilterValues)+`,"maxExtendedStatusFilterValues":`+
		itoa(maxFilterValues)+`}}`))
}

// acceptsJSON is whether a client takes JSON; one that does not say takes everything.
func acceptsJSON(accept []string) bool {
	if len(accept) == 0 {
		return true
	}
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		mediaType, parameters, _ := strings.Cut(part, ";")
		quality := strings.ReplaceAll(parameters, " ", "")
		if strings.Contains(quality, "q=0") && !strings.Contains(quality, "q=0.") {
			continue
		}
		switch strings.ToLower(strings.TrimSpace(mediaType)) {
		case "*/*", "application/*", typeJSON, "":
			return true
		}
	}
	return false
}
