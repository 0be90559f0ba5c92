package storage

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/transport/cache"
)

// Sizes of the caches: there are some thousand applications in all, and a version of texts can be large.
const (
	catalogApplications = 8000
	catalogTexts        = 1000
)

// Catalog keeps applications and their texts: fresh for 5 minutes, stale for up to 2 hours when Storage does not answer
// (mapping rules, 16). It is safe for use by many goroutines.
type Catalog struct {
	client       *Client
	applications *cache.Cache[string, *altinn.Application]
	texts        *cache.Cache[textsKey, []altinn.TextResource]
}

// textsKey makes the texts of a new version of an application new ones.
type textsKey struct{ appID, versionID string }

// NewCatalog makes an empty catalog over client.
func NewCatalog(client *Client) *Catalog {
	return newCatalog(client, cache.Config{})
}

func newCatalog(client *Client, config cache.Config) *Catalog {
	forApplications, forTexts := config, config
	forApplications.Size, forTexts.Size = catalogApplications, catalogTexts
	return &Catalog{
		client:       client,
		applications: cache.New[string, *altinn.Application](forApplications),
		texts:        cache.New[textsKey, []altinn.TextResource](forTexts),
	}
}

// Application gives an application's metadata; nil when Storage has none, which is kept like any answer. Callers must
// not change it.
func (c *Catalog) Application(ctx context.Context, appID string) (*altinn.Application, error) {
	return c.applications.Get(ctx, appID, func(ctx context.Context) (*altinn.Application, error) {
		return c.client.Application(ctx, appID)
	})
}

// Cached gives an application without asking; ok tells whether the catalog knows of it, nil included.
func (c *Catalog) Cached(appID string) (app *altinn.Application, ok bool) {
	return c.applications.Peek(appID)
}

// Texts gives the application's texts in the order of Languages; a language without texts is left out. appID is the one the
// instance names, which is what Storage knows them by, whatever app's own metadata call it. Any failure fails all three
// languages: a dialog must not lose its texts to a hiccup. Callers must not change the result.
func (c *Catalog) Texts(ctx context.Context, appID string, app *altinn.Application) ([]altinn.TextResource, error) {
	key := textsKey{appID: appID, versionID: app.VersionID}
	return c.texts.Get(ctx, key, func(ctx context.Context) ([]altinn.TextResource, error) {
		return c.readTexts(ctx, appID)
	})
}

func (c *Catalog) readTexts(ctx context.Context, appID string) ([]altinn.TextResource, error) {
	languages := Languages()
	read := make([]*altinn.TextResource, len(languages))
	group, ctx := errgroup.WithContext(ctx)
	for i, language := range languages {
		group.Go(func() error {
			var err error
			read[i], err = c.client.Texts(ctx, appID, language)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	texts := make([]altinn.TextResource, 0, len(languages))
	for _, resource := range read {
		if resource != nil {
			texts = append(texts, *resource)
		}
	}
	return texts, nil
}
