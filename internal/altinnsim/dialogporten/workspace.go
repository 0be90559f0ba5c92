package dialogporten

import "sync"

// workspace is what a create is bound into and checked with. It is used again by later creates: whatever is kept of a
// dialog is copied or written out before the request ends (newState).
type workspace struct {
	body   dialogBody
	binder binder
	rules  rules
}

type workspaces struct{ pool sync.Pool }

func (p *workspaces) get() *workspace {
	if w, ok := p.pool.Get().(*workspace); ok {
		return w
	}
	return &workspace{}
}

// put empties a workspace but for the memory of its lists.
func (p *workspaces) put(w *workspace) {
	const mostElements = 256
	if len(w.body.activities)+len(w.body.attachments)+len(w.body.transmissions)+len(w.body.guiActions)+len(w.body.apiActions) > mostElements {
		return
	}
	p.pool.Put(w)
}

// begin makes an empty body, a binder of a text and rules without faults.
func (w *workspace) begin(c *call) {
	lists := &w.body
	w.body = dialogBody{
		aggregate: aggregate{
			tags: emptied(lists.tags), attachments: emptied(lists.attachments), transmissions: emptied(lists.transmissions),
			guiActions: emptied(lists.guiActions), apiActions: emptied(lists.apiActions), activities: emptied(lists.activities),
		},
		labels:      emptied(lists.labels),
		visibleFrom: noInstant, dueAt: noInstant, expiresAt: noInstant, createdAt: noInstant, updatedAt: noInstant,
	}
	w.binder = binder{src: c.body, path: w.binder.path[:0], texts: emptied(w.binder.texts)}
	if w.binder.path == nil {
		w.binder.path = make([]step, 0, 8)
	}
	w.rules = rules{path: w.rules.path[:0], now: c.now, scopes: c.scopes}
	if w.rules.path == nil {
		w.rules.path = make([]step, 0, 12)
	}
}

// emptied lets go of what the elements refer to.
func emptied[T any](list []T) []T {
	clear(list)
	return list[:0]
}
