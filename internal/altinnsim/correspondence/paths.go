package correspondence

import (
	"net/http"
	"net/url"
	"strings"
)

// canonical gives a path the case that the routes have. Ids keep theirs.
func canonical(r *http.Request) *http.Request {
	known := [...]string{PathStatus, PathForwarding, PathNotified, PathAvailable, PathAttachment, PathMigrate}
	path := strings.TrimSuffix(r.URL.Path, "/")
	for _, name := range known {
		if strings.EqualFold(path, name) {
			if r.URL.Path == name {
				return r
			}
			clone := *r
			target := *r.URL
			target.Path = name
			clone.URL = &target
			return &clone
		}
	}
	return r
}

// parameters are query parameters by their names in lower case. An empty value counts as missing (3.2).
type parameters map[string]string

func readParameters(query url.Values) parameters {
	out := parameters{}
	for name, values := range query {
		for _, value := range values {
			if value != "" {
				out[strings.ToLower(name)] = value
				break
			}
		}
	}
	return out
}

// get is a parameter, nil when it is missing.
func (p parameters) get(name string) *string {
	value, ok := p[strings.ToLower(name)]
	if !ok {
		return nil
	}
	return &value
}
