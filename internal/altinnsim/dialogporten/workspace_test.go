package dialogporten_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// Creates share memory for what they are bound into: whatever the one before brought, refused or not, nothing of it is
// left in the next.
func TestCreatesDoNotMix(t *testing.T) {
	t.Parallel()
	s := newSimulation(t)
	const many = 120
	bodies := make([]object, many)
	for i := range bodies {
		bodies[i] = s.dialog(object{"content": object{"title": plain(fmt.Sprintf("Tittel %d", i))}})
		var actions, tags, attachments list
		for n := range i % 4 {
			actions = append(actions, s.guiAction(object{"action": fmt.Sprintf("a%d-%d", i, n), "priority": "Tertiary"}))
			tags = append(tags, object{"value": fmt.Sprintf("merke-%d-%d", i, n)})
		}
		for range i % 3 {
			attachments = append(attachments, s.attachment(object{"name": fmt.Sprintf("fil %d", i)}))
		}
		for name, value := range map[string]list{"guiActions": actions, "searchTags": tags, "attachments": attachments} {
			if value != nil {
				bodies[i][name] = value
			}
		}
		if i%5 == 4 {
			bodies[i]["party"] = "urn:altinn:nobody"
		}
	}
	var group errgroup.Group
	group.SetLimit(8)
	for i := range bodies {
		group.Go(func() error {
			want := http.StatusCreated
			if i%5 == 4 {
				want = http.StatusBadRequest
			}
			a := s.send(request{method: "POST", path: dialogs, query: silent(), token: admin(), body: bodies[i]})
			if a.status != want {
				return fmt.Errorf("%d: %d %s", i, a.status, a.body)
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	for i, body := range bodies {
		if i%5 == 4 {
			continue
		}
		shown := s.get(body["id"].(string))
		assert.Equal(t, fmt.Sprintf("Tittel %d", i), shown["content"].(object)["title"].(object)["value"].(list)[0].(object)["value"])
		assert.Len(t, shown["guiActions"], i%4)
		assert.Len(t, shown["searchTags"], i%4)
		assert.Len(t, shown["attachments"], i%3)
		assert.Empty(t, shown["transmissions"])
		assert.Empty(t, shown["activities"])
		for n, action := range shown["guiActions"].(list) {
			assert.Equal(t, fmt.Sprintf("a%d-%d", i, n), action.(object)["action"])
		}
	}
}
