package altinn

// Application is an app's metadata (Storage reference 6). Pointers are nil where the member is absent or null.
type Application struct {
	// ID is `org/app`; the app id of A1 forms contains a colon.
	ID string `json:"id"`
	// VersionID is part of the cache key of the app's texts; empty when missing.
	VersionID                      string                `json:"versionId,omitempty"`
	Org                            string                `json:"org,omitempty"`
	Title                          OrderedTexts          `json:"title,omitempty"`
	DataTypes                      List[DataType]        `json:"dataTypes,omitempty"`
	MessageBoxConfig               *MessageBoxConfig     `json:"messageBoxConfig,omitempty"`
	CopyInstanceSettings           *CopyInstanceSettings `json:"copyInstanceSettings,omitempty"`
	PreventInstanceDeletionForDays *int                  `json:"preventInstanceDeletionForDays,omitempty"`
}

// SyncSettings gives the app's switches for synchronisation; all false for an absent application or setting.
func (a *Application) SyncSettings() SyncAdapterSettings {
	if a == nil || a.MessageBoxConfig == nil || a.MessageBoxConfig.SyncAdapterSettings == nil {
		return SyncAdapterSettings{}
	}
	return *a.MessageBoxConfig.SyncAdapterSettings
}

// DataType is one kind of data elements an app has.
type DataType struct {
	ID     string `json:"id"`
	TaskID string `json:"taskId,omitempty"`
	// AppLogic is present for form data.
	AppLogic            *AppLogic `json:"appLogic,omitempty"`
	AllowedContributors []string  `json:"allowedContributors,omitempty"`
	// AllowedContributersOld is the same under its old spelling; both occur.
	AllowedContributersOld []string `json:"allowedContributers,omitempty"`
	// EnablePDFCreation is true when missing; read it with MakesPDF.
	EnablePDFCreation *bool  `json:"enablePdfCreation,omitempty"`
	Grouping          string `json:"grouping,omitempty"`
}

// MakesPDF tells whether form data of this type gives a PDF when its task ends.
func (d *DataType) MakesPDF() bool {
	return d.AppLogic != nil && (d.EnablePDFCreation == nil || *d.EnablePDFCreation)
}

// AppLogic marks a data type as form data.
type AppLogic struct {
	ClassRef string `json:"classRef,omitempty"`
}

// MessageBoxConfig tells how an app's instances show in the inbox.
type MessageBoxConfig struct {
	HideSettings        *HideSettings        `json:"hideSettings,omitempty"`
	SyncAdapterSettings *SyncAdapterSettings `json:"syncAdapterSettings,omitempty"`
}

// HideSettings tells when an app's instances are hidden from people.
type HideSettings struct {
	HideAlways bool     `json:"hideAlways"`
	HideOnTask []string `json:"hideOnTask,omitempty"`
}

// SyncAdapterSettings are an app's switches for synchronisation (mapping rules 13). Missing ones are false.
type SyncAdapterSettings struct {
	DisableSync                             bool `json:"disableSync"`
	EnableUserSuppliedDialogID              bool `json:"enableUserSuppliedDialogId"`
	DisableCreate                           bool `json:"disableCreate"`
	DisableDelete                           bool `json:"disableDelete"`
	DisableAddActivities                    bool `json:"disableAddActivities"`
	DisableAddTransmissions                 bool `json:"disableAddTransmissions"`
	DisableSyncDueAt                        bool `json:"disableSyncDueAt"`
	DisableSyncStatus                       bool `json:"disableSyncStatus"`
	DisableMarkCompletedWhenConfirmed       bool `json:"disableMarkCompletedWhenConfirmed"`
	DisableSyncContentTitle                 bool `json:"disableSyncContentTitle"`
	DisableSyncContentSummary               bool `json:"disableSyncContentSummary"`
	DisableSyncContentAdditionalInformation bool `json:"disableSyncContentAdditionalInformation"`
	DisableSyncContentExtendedStatus        bool `json:"disableSyncContentExtendedStatus"`
	DisableSyncAttachments                  bool `json:"disableSyncAttachments"`
	DisableSyncAPIActions                   bool `json:"disableSyncApiActions"`
	DisableSyncGUIActions                   bool `json:"disableSyncGuiActions"`
}

// CopyInstanceSettings tells whether users may copy an archived instance.
type CopyInstanceSettings struct {
	Enabled bool `json:"enabled"`
}

// ApplicationList is the answer to a read of several applications.
type ApplicationList struct {
	Applications List[Application] `json:"applications"`
}

// TextResource is an app's texts in one language (Storage reference 7).
type TextResource struct {
	ID        string            `json:"id,omitempty"`
	Org       string            `json:"org,omitempty"`
	Language  string            `json:"language"`
	Resources List[TextElement] `json:"resources,omitempty"`
}

// TextElement is one text. Its id may be missing or repeated, its value null.
type TextElement struct {
	ID    *string `json:"id,omitempty"`
	Value string  `json:"value,omitempty"`
}
