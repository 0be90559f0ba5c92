package faults

import "net/http"

// outage is a service that is down: nobody answers, or a gateway in front of it does, in HTML.
func outage(r Rule) http.Handler {
	if r.Status == 0 {
		return reset()
	}
	if r.Body == "" {
		r.Body, r.ContentType = gatewayPage, "text/html"
	}
	return status(r)
}

// gatewayPage is what stands in place of an answer.
const gatewayPage = "<html><body><h1>Service Unavailable</h1></body></html>"
