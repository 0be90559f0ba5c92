package correspondence

import (
	"net/http"
	"net/url"
	"strings"
)

// literals are the words of the routes, by what they are in lower case.
//
//nolint:gochecknoglobals // as a compiled expression is
var literals = func() map[string]string {
	out := map[string]string{}
	for _, path := range [...]string{
		PathMigrate, PathAttachment, PathAvailable, PathStatus, PathForwarding, PathNotified, pathItems, pathUpkeep,
	} {
		for word := range strings.SplitSeq(path, "/") {
			out[strings.ToLower(word)] = word
		}
	}
	for _, word := range append(upkeepJobs(), "details", "content") {
		out[word] = word
	}
	return out
}()

// canonical gives the words of a path the case that the routes have. Ids keep theirs.
func canonical(r *http.Request) *http.Request {
	words := strings.Split(strings.TrimSuffix(r.URL.Path, "/"), "/")
	for i, word := range words {
		if literal, ok := literals[strings.ToLower(word)]; ok {
			words[i] = literal
		}
	}
	path := strings.Join(words, "/")
	if path == r.URL.Path {
		return r
	}
	clone := *r
	target := *r.URL
	target.Path = path
	clone.URL = &target
	return &clone
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
