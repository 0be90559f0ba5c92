package mapping

import "github.com/altinn/dialogsync/pkg/dialogporten"

const readVersion = "1.0"

// apiActions is the one thing a system may do with a dialog: read its instance (rule 10.2).
func (s *subject) apiActions() ([]dialogporten.APIAction, error) {
	id, err := subID(s.DialogID, nameRead)
	if err != nil {
		return nil, err
	}
	endpointID, err := subID(id, nameReadEndpoint)
	if err != nil {
		return nil, err
	}
	version := readVersion
	return []dialogporten.APIAction{{
		ID:     id,
		Action: actionRead,
		Endpoints: []dialogporten.APIActionEndpoint{{
			ID:         endpointID,
			Version:    &version,
			URL:        s.links.read(),
			HTTPMethod: dialogporten.VerbGet,
		}},
	}}, nil
}
