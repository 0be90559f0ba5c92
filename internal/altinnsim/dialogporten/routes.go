package dialogporten

import (
	"net/http"
	"net/url"
	"strings"
)

// route is an endpoint with the texts that its path holds.
type route struct {
	endpoint endpoint
	ids      [2]string
	idNames  [2]string
	label    string
}

const (
	verbGet    = http.MethodGet
	verbPut    = http.MethodPut
	verbPost   = http.MethodPost
	verbPatch  = http.MethodPatch
	verbDelete = http.MethodDelete
)

func baseScope(s scopes) bool         { return s.base }
func searchScope(s scopes) bool       { return s.base && s.search }
func adminScope(s scopes) bool        { return s.base && s.admin }
func changeScope(s scopes) bool       { return s.base && s.change }
func notificationScope(s scopes) bool { return s.notification }

// match finds the endpoint of a request: 404 for an unknown path, 405 for a verb that the path has not.
func (c *call) match(target *route) *problem {
	const most = 8
	path, ok := cutPrefixFold(c.r.URL.EscapedPath(), pathServiceOwner)
	if !ok {
		return bare(http.StatusNotFound)
	}
	var parts [most]string
	n := 0
	for part := range strings.SplitSeq(strings.TrimSuffix(path, "/"), "/") {
		if n == most {
			return bare(http.StatusNotFound)
		}
		parts[n] = part
		n++
	}
	target.endpoint.handle = nil
	found := c.matchParts(parts[:n], target)
	switch {
	case !found:
		return bare(http.StatusNotFound)
	case target.endpoint.handle == nil:
		return bare(http.StatusMethodNotAllowed)
	}
	return nil
}

func cutPrefixFold(text, prefix string) (string, bool) {
	if len(text) < len(prefix) || !strings.EqualFold(text[:len(prefix)], prefix) {
		return "", false
	}
	return text[len(prefix):], true
}

func is(part, name string) bool { return part == name || strings.EqualFold(part, name) }

// matchParts tells whether the path is known, and sets the endpoint of the request's verb.
func (c *call) matchParts(parts []string, target *route) bool {
	switch {
	case is(parts[0], "dialoglookup") && len(parts) == 1:
		return c.on(target, verbGet, endpoint{handle: (*call).lookUp, allowed: baseScope})
	case !is(parts[0], "dialogs"):
		return false
	case len(parts) == 1:
		return c.on(target, verbPost, endpoint{handle: (*call).createDialog, allowed: baseScope, body: bodyJSON, silent: true}) &&
			c.on(target, verbGet, endpoint{handle: (*call).searchDialogs, allowed: searchScope})
	case is(parts[1], "endusercontext"):
		return c.matchContexts(parts[2:], target)
	}
	target.idNames[0], target.ids[0] = "dialogId", unescaped(parts[1])
	if len(parts) == 2 {
		return c.matchDialog(target)
	}
	return c.matchBelow(parts[2], parts[3:], target)
}

// on sets the endpoint if the request has the verb.
func (c *call) on(target *route, verb string, e endpoint) bool {
	if c.r.Method == verb {
		target.endpoint = e
	}
	return true
}

func unescaped(part string) string {
	if text, err := url.PathUnescape(part); err == nil {
		return text
	}
	return part
}

func (c *call) matchContexts(parts []string, target *route) bool {
	switch {
	case len(parts) == 0:
		return c.on(target, verbGet, endpoint{handle: (*call).searchContexts, allowed: searchScope})
	case len(parts) == 3 && is(parts[0], "systemlabels") && is(parts[1], "actions") && is(parts[2], "bulkset"):
		return c.on(target, verbPost, endpoint{handle: (*call).bulkSetSystemLabels, allowed: baseScope, body: bodyJSON})
	}
	return false
}

func (c *call) matchDialog(target *route) bool {
	switch c.r.Method {
	case verbGet:
		target.endpoint = endpoint{handle: (*call).getDialog, allowed: baseScope}
	case verbPut:
		target.endpoint = endpoint{handle: (*call).putDialog, allowed: baseScope, body: bodyJSON, silent: true, ifMatch: true}
	case verbPatch:
		target.endpoint = endpoint{
			handle: (*call).patchDialog, allowed: baseScope, body: bodyPatch, silent: true, ifMatch: true,
			framework: true,
		}
	case verbDelete:
		target.endpoint = endpoint{handle: (*call).deleteDialog, allowed: baseScope, silent: true, ifMatch: true}
	}
	return true
}

// matchBelow matches what follows dialogs/{id}/.
func (c *call) matchBelow(part string, rest []string, target *route) bool {
	switch {
	case is(part, "actions") && len(rest) == 1:
		return c.matchAction(rest[0], target)
	case is(part, "activities"):
		return c.matchActivities(rest, target)
	case is(part, "transmissions"):
		return c.matchTransmissions(rest, target)
	case is(part, "seenlog"):
		return c.matchSeenLog(rest, target)
	case is(part, "context") && len(rest) > 0 && is(rest[0], "labels"):
		return c.matchLabels(rest[1:], target)
	case is(part, "endusercontext") && len(rest) == 1 && is(rest[0], "systemlabels"):
		return c.on(target, verbPut, endpoint{handle: (*call).setSystemLabels, allowed: baseScope, body: bodyJSON, ifMatch: true})
	}
	return false
}

func (c *call) matchAction(name string, target *route) bool {
	e := endpoint{allowed: baseScope, silent: true, ifMatch: true}
	switch {
	case is(name, "purge"):
		e.handle = (*call).purgeDialog
	case is(name, "restore"):
		e.handle = (*call).restoreDialog
	case is(name, "freeze"):
		e.handle, e.silent = (*call).freezeDialog, false
	case is(name, "should-send-notification"):
		return c.on(target, verbGet, endpoint{handle: (*call).shouldSendNotification, allowed: notificationScope})
	default:
		return false
	}
	return c.on(target, verbPost, e)
}

func (c *call) matchActivities(rest []string, target *route) bool {
	if len(rest) == 0 {
		return c.on(target, verbGet, endpoint{handle: (*call).listActivities, allowed: baseScope}) &&
			c.on(target, verbPost, endpoint{handle: (*call).createActivity, allowed: baseScope, body: bodyJSON, silent: true, ifMatch: true})
	}
	target.idNames[1], target.ids[1] = "activityId", unescaped(rest[0])
	switch {
	case len(rest) == 1:
		return c.on(target, verbGet, endpoint{handle: (*call).getActivity, allowed: baseScope})
	case len(rest) == 3 && is(rest[1], "actions") && is(rest[2], "updateFormSavedActivityTime"):
		return c.on(target, verbPost, endpoint{
			handle: (*call).updateFormSavedTime, allowed: adminScope, adminOnly: true,
			body: bodyJSON, ifMatch: true,
		})
	}
	return false
}

func (c *call) matchTransmissions(rest []string, target *route) bool {
	switch len(rest) {
	case 0:
		return c.on(target, verbGet, endpoint{handle: (*call).listTransmissions, allowed: baseScope}) &&
			c.on(target, verbPost, endpoint{handle: (*call).createTransmission, allowed: baseScope, body: bodyJSON, silent: true, ifMatch: true})
	case 1:
		target.idNames[1], target.ids[1] = "transmissionId", unescaped(rest[0])
		return c.on(target, verbGet, endpoint{handle: (*call).getTransmission, allowed: baseScope}) &&
			c.on(target, verbPut, endpoint{handle: (*call).putTransmission, allowed: changeScope, body: bodyJSON, silent: true, ifMatch: true})
	}
	return false
}

func (c *call) matchSeenLog(rest []string, target *route) bool {
	switch len(rest) {
	case 0:
		return c.on(target, verbGet, endpoint{handle: (*call).listSeenLog, allowed: baseScope})
	case 1:
		target.idNames[1], target.ids[1] = "seenLogId", unescaped(rest[0])
		return c.on(target, verbGet, endpoint{handle: (*call).getSeenLog, allowed: baseScope})
	}
	return false
}

func (c *call) matchLabels(rest []string, target *route) bool {
	switch len(rest) {
	case 0:
		return c.on(target, verbGet, endpoint{handle: (*call).listLabels, allowed: baseScope}) &&
			c.on(target, verbPost, endpoint{handle: (*call).addLabel, allowed: baseScope, body: bodyJSON, ifMatch: true})
	case 1:
		target.label = unescaped(rest[0])
		return c.on(target, verbDelete, endpoint{handle: (*call).removeLabel, allowed: baseScope, ifMatch: true})
	}
	return false
}
