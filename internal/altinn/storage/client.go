package storage

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/altinn/dialogsync/internal/transport"
)

const (
	serviceName   = "storage"
	apiPath       = "/storage/api/v1"
	instancesPath = apiPath + "/instances"
)

// Client calls Storage. It is safe for use by many goroutines.
type Client struct {
	caller transport.Caller
}

// New makes a client of the Storage below baseURL (`https://platform.altinn.no`); hc brings authentication, limits and
// retries (transport.NewClient).
func New(baseURL string, hc *http.Client) *Client {
	return &Client{caller: transport.NewCaller(serviceName, baseURL, hc)}
}

// applicationPath is the path of an application's resources. The colon in the app ids of A1 forms stands as it is.
func applicationPath(appID string) (string, bool) {
	org, app, found := strings.Cut(appID, "/")
	if !found || org == "" || app == "" || strings.Contains(app, "/") {
		return "", false
	}
	return apiPath + "/applications/" + url.PathEscape(org) + "/" + url.PathEscape(app), true
}
