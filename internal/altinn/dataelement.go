package altinn

// Names that data elements and their references carry.
const (
	// DataTypePDF is the data type of generated PDFs; it is spelt exactly so.
	DataTypePDF = "ref-data-as-pdf"
	// DataTypeSignaturePresentation is the data type of A1 and A2 signature pages.
	DataTypeSignaturePresentation = "signature-presentation"
	// RelationGeneratedFrom is the relation of a PDF to the task it was made from.
	RelationGeneratedFrom = "GeneratedFrom"
)

// DataElement is one file or form of an instance (Storage reference 11.2).
type DataElement struct {
	// ID is the GUID as text, exactly as received: transmission attachment ids are made from it.
	ID            string            `json:"id"`
	InstanceGUID  string            `json:"instanceGuid,omitempty"`
	DataType      string            `json:"dataType,omitempty"`
	Filename      string            `json:"filename,omitempty"`
	ContentType   string            `json:"contentType,omitempty"`
	SelfLinks     *ResourceLinks    `json:"selfLinks,omitempty"`
	Size          int64             `json:"size"`
	Locked        bool              `json:"locked"`
	References    List[Reference]   `json:"references,omitempty"`
	DeleteStatus  *DataDeleteStatus `json:"deleteStatus,omitempty"`
	Created       *Time             `json:"created,omitempty"`
	CreatedBy     string            `json:"createdBy,omitempty"`
	LastChanged   *Time             `json:"lastChanged,omitempty"`
	LastChangedBy string            `json:"lastChangedBy,omitempty"`
}

// Reference tells where a data element comes from.
type Reference struct {
	Value     string `json:"value"`
	Relation  string `json:"relation"`
	ValueType string `json:"valueType,omitempty"`
}

// DataDeleteStatus tells whether a data element is marked as deleted.
type DataDeleteStatus struct {
	IsHardDeleted bool  `json:"isHardDeleted"`
	HardDeleted   *Time `json:"hardDeleted,omitempty"`
}
