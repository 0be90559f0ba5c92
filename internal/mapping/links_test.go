package mapping_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/mapping"
	"github.com/altinn/dialogsync/pkg/dialogporten"
)

const portalTT02 = "https://platform.tt02.altinn.no/authentication/api/v1/authentication?goto="

func TestHostForms(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"tt02.altinn.no", "TT02.altinn.no:443", "https://tt02.altinn.no", "https://tt02.altinn.no:8443/", "https://tt02.altinn.no/x"} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			in := draft(t)
			in.Instance.Org = "TTD"
			in.Settings.AltinnHost = host
			in.Settings.AdapterURL += "/"
			body := mustCreate(t, in).Body
			assert.Equal(t, portalTT02+"https%3A%2F%2Fttd.apps.tt02.altinn.no%2Fttd%2Finnsending%2F%3FdontChooseReportee%3Dtrue%23%2Finstance%2F50001337%2F"+testGUID,
				body.GUIActions[0].URL)
			assert.Equal(t, "https://platform.tt02.altinn.no/storage/dialogporten/api/v1/instance/50001337/"+testGUID, body.GUIActions[1].URL)
			assert.Equal(t, "https://ttd.apps.tt02.altinn.no/ttd/innsending/instances/50001337/"+testGUID, body.APIActions[0].Endpoints[0].URL)
		})
	}
}

func TestNoHost(t *testing.T) {
	t.Parallel()
	in := draft(t)
	in.Settings.AltinnHost = ""
	_, err := mapping.Create(in)
	requireReason(t, err, mapping.ReasonSettingsInvalid)
}

func TestPortalOfAttachments(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ address, want string }{
		"plain":               {"https://x/a", "https%3A%2F%2Fx%2Fa%3FdontChooseReportee%3Dtrue"},
		"with a query":        {"https://x/a?b=c", "https%3A%2F%2Fx%2Fa%3Fb%3Dc%26dontChooseReportee%3Dtrue"},
		"question after hash": {"https://x/#a?b", "https%3A%2F%2Fx%2F%3FdontChooseReportee%3Dtrue%23a%3Fb"},
		"reserved and others": {"https://x/ !'()*~å", "https%3A%2F%2Fx%2F%20%21%27%28%29%2A~%C3%A5%3FdontChooseReportee%3Dtrue"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := draft(t)
			in.Instance.Data = altinn.List[altinn.DataElement]{element(t, 1, "vedlegg", "2025-06-18T10:00:00Z")}
			in.Instance.Data[0].SelfLinks = &altinn.ResourceLinks{Platform: c.address}
			assert.Equal(t, portalTT02+c.want, mustCreate(t, in).Body.Attachments[0].URLs[0].URL)
		})
	}
}

func TestAttachmentWithoutSelfLink(t *testing.T) {
	t.Parallel()
	in := draft(t)
	in.Application.DataTypes = altinn.List[altinn.DataType]{{ID: "skjema", AppLogic: &altinn.AppLogic{}}}
	in.Instance.Data = altinn.List[altinn.DataElement]{element(t, 1, "skjema", "2025-06-18T10:00:00Z")}
	assert.Equal(t, "https://platform.tt02.altinn.no/storage/api/v1/instances/50001337/"+testGUID+"/data/"+in.Instance.Data[0].ID,
		mustCreate(t, in).Body.Attachments[0].URLs[0].URL)
}

func TestConsumer(t *testing.T) {
	t.Parallel()
	gui, api := dialogporten.ConsumerGUI, dialogporten.ConsumerAPI
	types := altinn.List[altinn.DataType]{
		{ID: "form", AppLogic: &altinn.AppLogic{}},
		{ID: "Owned", AllowedContributors: []string{"x", "app:owned"}},
		{ID: "old", AllowedContributersOld: []string{"app:owned"}},
		{ID: "othercase", AllowedContributors: []string{"App:Owned"}},
		{ID: "html", Grouping: "group.formdatahtml"},
		{ID: "source", Grouping: "group.formdatasource"},
		{ID: "signature", Grouping: "group.signaturesource"},
		{ID: "payment", Grouping: "group.paymentsource"},
		{ID: "activities", Grouping: "group.activities"},
		{ID: "files", Grouping: "Group.Activities"},
		{ID: "twice", Grouping: "group.activities"},
		{ID: "TWICE", Grouping: "group.files"},
		{ID: "either", AppLogic: &altinn.AppLogic{}},
		{ID: "EITHER"},
		{ID: "Ref-Data-As-PDF", AppLogic: &altinn.AppLogic{}},
	}
	cases := map[string]dialogporten.ConsumerType{
		"": gui, " ": gui, "unknown": gui, "Ref-data-as-pdf": gui, "FORM": api, "owned": api, "old": api, "othercase": gui,
		"html": api, "source": api, "signature": api, "payment": api, "activities": api, "files": gui, "twice": gui, "either": api,
	}
	for dataType, want := range cases {
		t.Run(dataType, func(t *testing.T) {
			t.Parallel()
			in := draft(t)
			in.Application.DataTypes = types
			in.Instance.Data = altinn.List[altinn.DataElement]{element(t, 1, dataType, "2025-06-18T10:00:00Z")}
			url := mustCreate(t, in).Body.Attachments[0].URLs[0]
			assert.Equal(t, want, url.ConsumerType)
			assert.Equal(t, want == gui, strings.HasPrefix(url.URL, portalTT02), "people go through the portal")
		})
	}
}

func TestFileNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 300)
	cases := map[string]struct{ filename, dataType, want string }{
		"missing":                {"", "skjema", "skjema"},
		"both missing":           {"", "", "Navn på vedlegg mangler"},
		"extension kept":         {long + ".pdf", "x", long[:251] + ".pdf"},
		"no extension":           {long, "x", long[:255]},
		"dot at the end":         {long + ".", "x", long[:255]},
		"dot before a slash":     {"a.b/" + long, "x", "a.b/" + long[:251]},
		"extension too long":     {"b." + long, "x", "b." + long[:253]},
		"extension just fits":    {long + "." + long[:253], "x", "a." + long[:253]},
		"extension is the limit": {long + "." + long[:254], "x", long[:255]},
		"pairs count twice":      {strings.Repeat("😀", 128) + ".txt", "x", strings.Repeat("😀", 125) + ".txt"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := draft(t)
			in.Instance.Data = altinn.List[altinn.DataElement]{element(t, 1, c.dataType, "2025-06-18T10:00:00Z")}
			in.Instance.Data[0].Filename = c.filename
			attachment := mustCreate(t, in).Body.Attachments[0]
			assert.Equal(t, localized("nb", c.want), attachment.DisplayName)
			assert.Equal(t, c.dataType, text(attachment.Name))
		})
	}
}
