package storage_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/transport"
)

const (
	applicationsPath = "/storage/api/v1/applications"
	appPath          = applicationsPath + "/ttd/demo"
)

func TestApplication(t *testing.T) {
	t.Parallel()
	s, client := newService(t, map[string]http.HandlerFunc{
		"GET " + applicationsPath + "/skd/a1-213-2638:1": answerJSON(200, `{"id":"skd/a1-213-2638:1","org":"skd"}`),
	})
	app, err := client.Application(t.Context(), "skd/a1-213-2638:1")
	require.NoError(t, err)
	require.Equal(t, "skd/a1-213-2638:1", app.ID)
	require.Equal(t, applicationsPath+"/skd/a1-213-2638:1", s.requests[0].URL.EscapedPath())

	_, err = client.Application(t.Context(), "no-slash")
	require.ErrorIs(t, err, storage.ErrMalformedAppID)
}

func TestOnlyStorageCanSayThatThereIsNoApplication(t *testing.T) {
	t.Parallel()
	_, client := newService(t, map[string]http.HandlerFunc{
		"GET " + appPath: answerJSON(404, `"Could not find an application with appId=ttd/demo"`),
	})
	app, err := client.Application(t.Context(), "ttd/demo")
	require.NoError(t, err)
	require.Nil(t, app)

	_, gateway := newService(t, map[string]http.HandlerFunc{"GET " + appPath: answer(404, "text/html", "<html>")})
	_, err = gateway.Application(t.Context(), "ttd/demo")
	require.Equal(t, transport.Transient, transport.Classify(err))
}

func TestTexts(t *testing.T) {
	t.Parallel()
	_, client := newService(t, map[string]http.HandlerFunc{
		"GET " + appPath + "/texts/nb": answerJSON(200, `{"language":"nb","resources":[{"id":"appName","value":"Demo"}]}`),
		"GET " + appPath + "/texts/nn": answer(404, "application/problem+json", `{"status":404}`),
		"GET " + appPath + "/texts/en": answer(404, "text/html", "<html>"),
	})
	texts, err := client.Texts(t.Context(), "ttd/demo", "nb")
	require.NoError(t, err)
	require.Equal(t, "Demo", texts.Resources[0].Value)
	texts, err = client.Texts(t.Context(), "ttd/demo", "nn")
	require.NoError(t, err)
	require.Nil(t, texts)
	_, err = client.Texts(t.Context(), "ttd/demo", "en")
	require.Equal(t, transport.Transient, transport.Classify(err), "a gateway's page is no answer")
}

func TestOrgs(t *testing.T) {
	t.Parallel()
	const list = `{"extra":{"a":[1]},"applications":[{"id":"ttd/b","org":"ttd","dataTypes":[{}]},{"id":"skd/a","org":"skd"},` +
		`{"id":"nav/x"},{"id":"ttd/c","org":"ttd"}]}`
	_, client := newService(t, map[string]http.HandlerFunc{"GET " + applicationsPath: answerJSON(200, list)})
	orgs, err := client.Orgs(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"nav", "skd", "ttd"}, orgs)

	for _, broken := range []string{list[:len(list)-2], list[:60], `{}`, `[]`, `{"applications":null}`} {
		_, client := newService(t, map[string]http.HandlerFunc{"GET " + applicationsPath: answerJSON(200, broken)})
		_, err := client.Orgs(t.Context())
		require.Error(t, err, broken)
		require.Equal(t, transport.Transient.String(), transport.Classify(err).String(), broken)
	}
}

func TestCatalogKeepsApplicationsAndTheirAbsence(t *testing.T) {
	t.Parallel()
	s, client := newService(t, map[string]http.HandlerFunc{
		"GET " + appPath:                   answerJSON(200, `{"id":"ttd/demo"}`),
		"GET " + applicationsPath + "/a/b": answerJSON(404, `"Could not find an application with appId=a/b"`),
	})
	catalog := storage.NewCatalog(client)
	_, cached := catalog.Cached("ttd/demo")
	require.False(t, cached)

	for range 3 {
		app, err := catalog.Application(t.Context(), "ttd/demo")
		require.NoError(t, err)
		require.Equal(t, "ttd/demo", app.ID)
		app, err = catalog.Application(t.Context(), "a/b")
		require.NoError(t, err)
		require.Nil(t, app)
	}

	require.Equal(t, 1, s.count(appPath))
	require.Equal(t, 1, s.count(applicationsPath+"/a/b"))
	app, cached := catalog.Cached("ttd/demo")
	require.True(t, cached)
	require.Equal(t, "ttd/demo", app.ID)
	app, cached = catalog.Cached("a/b")
	require.True(t, cached)
	require.Nil(t, app)
}

func TestCatalogReadsAllLanguagesOrNone(t *testing.T) {
	t.Parallel()
	s, client := newService(t, map[string]http.HandlerFunc{
		"GET " + appPath:               answerJSON(200, `{"id":"ttd/demo","versionId":"v1"}`),
		"GET " + appPath + "/texts/nb": answerJSON(200, `{"language":"nb"}`),
		"GET " + appPath + "/texts/nn": answer(404, "application/problem+json", `{}`),
		"GET " + appPath + "/texts/en": answerJSON(500, `"x"`),
	})
	catalog := storage.NewCatalog(client)
	app, err := catalog.Application(t.Context(), "ttd/demo")
	require.NoError(t, err)
	_, err = catalog.Texts(t.Context(), app.ID, app)
	require.Error(t, err, "a language that cannot be read must not be left out")

	s.set("GET "+appPath+"/texts/en", answerJSON(200, `{}`))
	for range 2 {
		texts, err := catalog.Texts(t.Context(), app.ID, app)
		require.NoError(t, err)
		require.Len(t, texts, 2)
		require.Equal(t, "nb", texts[0].Language)
		require.Equal(t, "en", texts[1].Language)
	}
	require.Equal(t, 2, s.count(appPath+"/texts/en"), "kept after the first success")

	newer := *app
	newer.VersionID = "v2"
	_, err = catalog.Texts(t.Context(), newer.ID, &newer)
	require.NoError(t, err)
	require.Equal(t, 3, s.count(appPath+"/texts/en"), "a new version has new texts")
}
