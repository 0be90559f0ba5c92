package transport

import (
	"net/url"
	"strings"
)

// Hosts are the only origins that may see a token or the gateway key (Storage reference, 2.5).
type Hosts map[string]struct{}

// NewHosts takes the origins (scheme, host and port) of the given base URLs. What is not an absolute URL is left out.
func NewHosts(baseURLs ...string) Hosts {
	hosts := Hosts{}
	for _, base := range baseURLs {
		if u, err := url.Parse(base); err == nil && u.Host != "" {
			hosts[origin(u)] = struct{}{}
		}
	}
	return hosts
}

// Trusted tells whether u lies on one of the origins.
func (h Hosts) Trusted(u *url.URL) bool {
	_, ok := h[origin(u)]
	return ok
}

// origin spells out the default port, so that https://a and https://a:443 are one.
func origin(u *url.URL) string {
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
