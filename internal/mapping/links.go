package mapping

import (
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinn"
)

const (
	schemeSeparator = "://"
	defaultScheme   = "https"
)

// links are the addresses of one instance (rule 10.1). Bases have no slash at their end.
type links struct {
	platform   string
	app        string
	adapter    string
	instanceID string
	archived   bool
}

func newLinks(settings Settings, instance *altinn.Instance) (links, error) {
	scheme, host, ok := splitHost(settings.AltinnHost)
	if !ok {
		return links{}, &Error{Reason: ReasonSettingsInvalid, Member: "AltinnHost"}
	}
	return links{
		platform:   scheme + "://platform." + host,
		app:        strings.TrimRight(scheme+schemeSeparator+strings.ToLower(instance.Org)+".apps."+host+"/"+instance.AppID, "/"),
		adapter:    strings.TrimRight(settings.AdapterURL, "/"),
		instanceID: instance.ID,
		archived:   instance.IsArchived(),
	}, nil
}

// splitHost gives the scheme and the lower-case host of a host name or a URL, without the port.
func splitHost(text string) (scheme, host string, ok bool) {
	if !strings.Contains(text, schemeSeparator) {
		text = defaultScheme + schemeSeparator + text
	}
	base, err := url.Parse(text)
	if err != nil || base.Hostname() == "" {
		return "", "", false
	}
	return strings.ToLower(base.Scheme), strings.ToLower(base.Hostname()), true
}

// goTo is where the main button leads: into the form, or to the receipt once archived.
func (l links) goTo() string {
	if l.archived {
		return l.portal(l.platform + "/receipt/" + l.instanceID)
	}
	return l.portal(l.app + "/#/instance/" + l.instanceID)
}

func (l links) delete() string { return l.adapter + "/api/v1/instance/" + l.instanceID }

func (l links) copy() string { return l.portal(l.app + "/legacy/instances/" + l.instanceID + "/copy") }

// read is where a system reads the instance: in the app, or in Storage once archived.
func (l links) read() string {
	if l.archived {
		return l.storageInstance()
	}
	return l.app + "/instances/" + l.instanceID
}

func (l links) storageInstance() string {
	return l.platform + "/storage/api/v1/instances/" + l.instanceID
}

// dataElement is where a data element is read. Storage says so itself; where it does not, the address is what it would be.
func (l links) dataElement(element *altinn.DataElement) string {
	if element.SelfLinks != nil && element.SelfLinks.Platform != "" {
		return element.SelfLinks.Platform
	}
	return l.storageInstance() + "/data/" + element.ID
}

func (l links) receipt(dialogID, transmissionID uuid.UUID, language string) string {
	return l.adapter + "/api/v1/receipt/" + dialogID.String() + "/" + transmissionID.String() + "?lang=" + language
}

// portal sends a person through the login to target, without being asked whom to represent (rule 10.3).
func (l links) portal(target string) string {
	const withoutReportee = "dontChooseReportee=true"
	start, fragment := target, ""
	if i := strings.IndexByte(target, '#'); i >= 0 {
		start, fragment = target[:i], target[i:]
	}
	separator := "?"
	if strings.Contains(start, "?") {
		separator = "&"
	}
	return l.platform + "/authentication/api/v1/authentication?goto=" + escape(start+separator+withoutReportee+fragment)
}

// escape percent-encodes every byte except letters, digits and `-._~`.
func escape(text string) string {
	const (
		upperHex     = "0123456789ABCDEF"
		lowNibble    = 0x0F
		nibble       = 4
		escapedWidth = 3
	)
	out := make([]byte, 0, len(text)*escapedWidth)
	for i := range len(text) {
		c := text[i]
		if isUnreserved(c) {
			out = append(out, c)
			continue
		}
		out = append(out, '%', upperHex[c>>nibble], upperHex[c&lowNibble])
	}
	return string(out)
}

// isUnreserved tells whether a byte stands for itself in a URI (RFC 3986, 2.3).
func isUnreserved(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '-' || c == '.' || c == '_' || c == '~'
}
