package mapping

import (
	"strings"

	"github.com/altinn/dialogsync/pkg/dialogporten"
)

// StorageLabelPrefix begins the service-owner label that ties a dialog to an instance.
const StorageLabelPrefix = "urn:altinn:integration:storage:"

const serviceResourcePrefix = "urn:altinn:resource:app_"

// StorageLabel is the service-owner label of an instance, from its id `{partyId}/{guid}` as Storage gives it.
// Dialogporten stores labels in lower case.
func StorageLabel(instanceID string) string { return StorageLabelPrefix + instanceID }

func serviceOwnerContext(instanceID string) *dialogporten.CreateServiceOwnerContext {
	return &dialogporten.CreateServiceOwnerContext{
		ServiceOwnerLabels: []dialogporten.ServiceOwnerLabel{{Value: StorageLabel(instanceID)}},
	}
}

// serviceResource is the resource of an app, from its id `org/app`.
func serviceResource(appID string) string {
	return serviceResourcePrefix + strings.ReplaceAll(appID, "/", "_")
}

// systemLabel archives what is old: a new archived instance must show as new (rule 20.33).
func (s *subject) systemLabel() dialogporten.SystemLabel {
	if s.Instance.IsArchived() && s.MigrationOrForced() {
		return dialogporten.SystemLabelArchive
	}
	return dialogporten.SystemLabelDefault
}
