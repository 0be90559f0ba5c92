package generator

import (
	"fmt"
	"strconv"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// flow is the process of an app: what comes after filling in.
type flow uint8

const (
	flowSimple flow = iota // filling in, end
	flowSigning
	flowPayment
	flowConfirmation
	flowFeedback // the service owner answers, may ask for more or reject
	flows
)

// taskType is altinnTaskType of the task after filling in.
func (f flow) taskType() string {
	return [...]string{"data", "signing", "payment", "confirmation", "feedback"}[f]
}

func (f flow) taskName() string {
	return [...]string{"Utfylling", "Signering", "Betaling", "Bekreftelse", "Tilbakemelding"}[f]
}

// Names of data types.
const (
	typeModel     = "model"
	typeVedlegg   = "vedlegg"
	typeReceipt   = "ref-data-as-pdf"
	typeHTML      = "ref-data-as-html"
	typeSummary   = "ref-summary-data-as-html"
	typeSignature = "signature-presentation"
	typePayment   = "payment-presentation"
	typeLetter    = "vedtak"
	typeBinary    = "binary-data"
	typeMeta      = "metadata-intern"
)

// app is an application.
type app struct {
	id      string
	org     world.Organisation
	name    string // without the org
	number  uint16 // in Storage
	detail  uint16 // in the generator
	version uint8
	flow    flow
	title   world.Texts
	hidden  bool // in the inbox: API only
	copies  bool
	prevent int // days that archived instances are kept
	period  bool
	named   bool
	// supplied apps choose their dialogs' ids themselves.
	supplied bool
}

type subject struct{ nb, nn, en, slug string }

func subjects() []subject {
	return []subject{
		{"Årsregnskap", "Årsrekneskap", "Annual accounts", "aarsregnskap"},
		{"Melding om flytting", "Melding om flytting", "Notice of move", "flyttemelding"},
		{"Søknad om støtte", "Søknad om støtte", "Application for support", "soknad-stotte"},
		{"Krav om refusjon", "Krav om refusjon", "Claim for reimbursement", "refusjonskrav"},
		{"Rapport om dyrehold", "Rapport om dyrehald", "Livestock report", "dyrehold"},
		{"Ferdigattest", "Ferdigattest", "Certificate of completion", "ferdigattest"},
		{"Mva-melding", "Mva-melding", "VAT return", "mva-melding"},
		{"Registrering av virksomhet", "Registrering av verksemd", "Registration of business", "registrering"},
		{"Innsending av statistikk", "Innsending av statistikk", "Statistical return", "statistikk"},
		{"Endring av opplysninger", "Endring av opplysningar", "Change of details", "endringsmelding"},
	}
}

// apps makes an organisation's apps: n of Altinn 3, two migrated from Altinn 2, one from Altinn 1.
func apps(org world.Organisation, orgNumber, n int) []*app {
	var out []*app
	list := subjects()
	for i := range n {
		s := list[(orgNumber*3+i)%len(list)]
		suffix := ""
		if i >= len(list) {
			suffix = "-" + strconv.Itoa(i/len(list)+1)
		}
		a := &app{name: s.slug + suffix, org: org, version: 3, flow: flow((orgNumber + i) % int(flows)), //nolint:gosec // small
			title: world.Texts{NB: s.nb, NN: s.nn, EN: s.en}, copies: i%3 == 1, period: i%2 == 0, named: i%4 == 1}
		if i%7 == 6 {
			a.hidden = true
		}
		if i%5 == 4 {
			a.title.NN = ""
		}
		if i%4 == 3 {
			a.prevent = 30
		}
		out = append(out, a)
	}
	for i := range 2 {
		s := list[(orgNumber+5*i+1)%len(list)]
		name := fmt.Sprintf("a2-%04d-%d", 1000+orgNumber*10+i, 120101+i*60000+orgNumber)
		out = append(out, &app{name: name, org: org, version: 2, title: world.Texts{NB: s.nb, NN: s.nn, EN: s.en}})
	}
	s := list[(orgNumber+7)%len(list)]
	out = append(out, &app{
		name: fmt.Sprintf("a1-%d-%d:1", 200+orgNumber, 2000+orgNumber), org: org, version: 1,
		title: world.Texts{NB: s.nb, NN: s.nn, EN: s.en},
	})
	for _, a := range out {
		a.id = org.Code + "/" + a.name
	}
	return out
}

// resource is the entry of the resource registry that dialogs of the app refer to.
func (a *app) resource() world.Resource {
	kind := "AltinnApp"
	if a.version < 3 {
		kind = "MigratedApp"
	}
	return world.Resource{ID: "app_" + a.org.Code + "_" + a.name, OrgNumber: a.org.Number, Org: a.org.Code, Type: kind}
}

type object = map[string]any

// application is the app's metadata (Storage reference, chapter 6).
func (a *app) application() []byte {
	types := a.dataTypes()
	fields := []object{}
	if a.named {
		fields = append(fields, object{"id": "navn", "path": "Innsender.Navn", "dataTypeId": typeModel})
	}
	if a.period {
		fields = append(fields, object{"id": "periode", "path": "Skjema.Periode", "dataTypeId": typeModel})
	}
	application := object{
		"id": a.id, "org": a.org.Code, "title": a.title, "dataTypes": types,
		"partyTypesAllowed":      object{"bankruptcyEstate": false, "organisation": true, "person": true, "subUnit": false},
		"autoDeleteOnProcessEnd": false, "presentationFields": fields, "disallowUserInstantiation": false,
		"created": "2015-01-09T12:00:00.5Z", "createdBy": "studio", "lastChanged": "2020-02-01T09:30:00.25Z", "lastChangedBy": "studio",
	}
	if a.version == 3 {
		application["versionId"] = "v14"
		application["validFrom"] = "2015-01-09T00:00:00Z"
		application["copyInstanceSettings"] = object{
			"enabled": a.copies, "excludedDataTypes": nil, "excludedDataFields": nil,
			"includeAttachments": false,
		}
		config := object{"hideSettings": object{"hideAlways": a.hidden, "hideOnTask": nil}}
		if a.supplied {
			config["syncAdapterSettings"] = object{"enableUserSuppliedDialogId": true}
		}
		application["messageBoxConfig"] = config
	}
	if a.prevent > 0 {
		application["preventInstanceDeletionForDays"] = a.prevent
	}
	return answer.Marshal(application)
}

func (a *app) dataTypes() []object {
	plain := func(id string, maxCount int, contentTypes ...string) object {
		return object{
			"id": id, "allowedContentTypes": contentTypes, "maxCount": maxCount, "minCount": 0, "enablePdfCreation": false,
			"enableFileScan": false, "validationErrorOnPendingFileScan": false, "enabledFileAnalysers": []any{}, "enabledFileValidators": []any{},
		}
	}
	grouped := func(id, group string) object {
		t := plain(id, 0, "text/html")
		t["grouping"] = group
		return t
	}
	if a.version < 3 {
		return []object{
			grouped("skjema-xml", "group.formdatasource"), grouped(typeHTML, "group.formdatahtml"),
			grouped(typeSignature, "group.signaturesource"), grouped(typePayment, "group.paymentsource"),
			plain(typeReceipt, 0, "application/pdf"), plain(typeSummary, 0, "text/html"), plain(typeBinary, 0),
		}
	}
	model := plain(typeModel, 1, "application/xml")
	model["appLogic"] = object{
		"autoCreate": true, "classRef": "Demo.Models.Skjema", "allowAnonymousOnStateless": false,
		"autoDeleteOnProcessEnd": false, "disallowUserCreate": false, "disallowUserDelete": false,
	}
	model["taskId"], model["minCount"] = taskFill, 1
	delete(model, "enablePdfCreation") // missing means true
	attachments := plain(typeVedlegg, 5)
	attachments["taskId"], attachments["grouping"] = taskFill, "group.attachments"
	internal := plain(typeMeta, 1, "application/json")
	internal["allowedContributers"] = []string{"app:owned"}
	return []object{model, attachments, plain(typeReceipt, 0, "application/pdf"), plain(typeLetter, 0, "application/pdf"), internal}
}
