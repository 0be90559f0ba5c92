package altinnsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim/storage"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// consumer is a worker as simple as can be, which does the minimum right. It makes sure that what is generated can be
// delivered, and gives comparisons something to compare.
type consumer struct {
	*rig

	urns map[string]string
}

type element struct {
	ID          uuid.UUID `json:"id"`
	DataType    string    `json:"dataType"`
	Filename    string    `json:"filename"`
	ContentType string    `json:"contentType"`
	Created     time.Time `json:"created"`
	SelfLinks   struct {
		Platform string `json:"platform"`
	} `json:"selfLinks"`
}

type source struct {
	ID            string `json:"id"`
	AppID         string `json:"appId"`
	InstanceOwner struct {
		PartyID string `json:"partyId"`
	} `json:"instanceOwner"`
	Created      time.Time  `json:"created"`
	LastChanged  time.Time  `json:"lastChanged"`
	VisibleAfter *time.Time `json:"visibleAfter"`
	DueBefore    *time.Time `json:"dueBefore"`
	Process      struct {
		CurrentTask struct {
			TaskType string `json:"altinnTaskType"`
		} `json:"currentTask"`
	} `json:"process"`
	Status struct {
		IsArchived    bool `json:"isArchived"`
		IsSoftDeleted bool `json:"isSoftDeleted"`
		IsHardDeleted bool `json:"isHardDeleted"`
	} `json:"status"`
	CompleteConfirmations []any             `json:"completeConfirmations"`
	Data                  []element         `json:"data"`
	PresentationTexts     map[string]string `json:"presentationTexts"`
	DataValues            map[string]string `json:"dataValues"`
}

type happened struct {
	ID      uuid.UUID  `json:"id"`
	DataID  *uuid.UUID `json:"dataId"`
	Created time.Time  `json:"created"`
	Type    string     `json:"eventType"`
	User    struct {
		UserID int64  `json:"userId"`
		OrgID  string `json:"orgId"`
		System int64  `json:"endUserSystemId"`
	} `json:"user"`
	ProcessInfo struct {
		CurrentTask struct {
			TaskType string `json:"altinnTaskType"`
		} `json:"currentTask"`
	} `json:"processInfo"`
}

func (s source) guid() uuid.UUID { return uuid.MustParse(strings.Split(s.ID, "/")[1]) }

func stamped(id uuid.UUID, t time.Time) string { return storage.DialogID(id, t.UnixMicro()).String() }

// list lists all instances of an organisation, moving the bound as the reference advises.
func (c *consumer) list(t *testing.T, org string) []source {
	t.Helper()
	var out []source
	seen := map[string]bool{}
	query := "order=asc:lastChanged&mainVersionExclude=0&size=200&org=" + org
	for from := ""; ; {
		var page struct {
			Next      *string  `json:"next"`
			Instances []source `json:"instances"`
		}
		q := query
		if from != "" {
			q += "&lastChanged=gte:" + from
		}
		c.get(t, "/storage/api/v1/instances?"+q, &page)
		for _, s := range page.Instances {
			if !seen[s.ID] {
				seen[s.ID] = true
				out = append(out, s)
			}
			from = s.LastChanged.Format("2006-01-02T15:04:05.000000Z")
		}
		if page.Next == nil {
			return out
		}
	}
}

// urn looks a party up, "" when nobody knows it.
func (c *consumer) urn(t *testing.T, question string) string {
	t.Helper()
	if known, ok := c.urns[question]; ok {
		return known
	}
	var out struct {
		Data []struct {
			ExternalURN *string         `json:"externalUrn"`
			DisplayName string          `json:"displayName"`
			Type        world.PartyType `json:"partyType"`
		} `json:"data"`
	}
	a := c.do(t, http.MethodPost, "/register/api/v1/dialogporten/parties/query", fmt.Sprintf(`{"data":[%q]}`, question))
	require.Contains(t, []int{200, 206}, a.status)
	a.into(t, &out)
	urn := ""
	if len(out.Data) > 0 {
		p := out.Data[0]
		switch {
		case p.ExternalURN != nil:
			urn = *p.ExternalURN
		case p.Type == world.TypeSelfIdentified:
			urn = world.URNSelfIdent + p.DisplayName
		default:
			urn = world.URNDisplayName + p.DisplayName
		}
	}
	c.urns[question] = urn
	return urn
}

type object = map[string]any

// deliver brings one instance over.
func (c *consumer) deliver(t *testing.T, s source) {
	t.Helper()
	id := stamped(s.guid(), s.Created)
	party := c.urn(t, world.URNPartyID+s.InstanceOwner.PartyID)
	if s.Status.IsHardDeleted || party == "" {
		return
	}
	written := c.do(t, http.MethodPut, "/storage/api/v1/instances/"+s.ID+"/datavalues", `{"values":{"dialog.id":"`+id+`"}}`)
	require.Equal(t, http.StatusOK, written.status)
	body, err := json.Marshal(c.dialog(t, s, id, party))
	require.NoError(t, err)
	a := c.do(t, http.MethodPost, "/api/v1/serviceowner/dialogs?isSilentUpdate=true", string(body))
	require.Equal(t, http.StatusCreated, a.status, "%s\n%s", a.body, body)
	if s.Status.IsSoftDeleted {
		a := c.do(t, http.MethodDelete, "/api/v1/serviceowner/dialogs/"+id+"?isSilentUpdate=true", "")
		require.Equal(t, http.StatusNoContent, a.status)
	}
}

func (c *consumer) dialog(t *testing.T, s source, id, party string) object {
	t.Helper()
	var events struct {
		InstanceEvents []happened `json:"instanceEvents"`
	}
	c.get(t, "/storage/api/v1/instances/"+s.ID+"/events", &events)
	var app struct {
		Title map[string]string `json:"title"`
	}
	c.get(t, "/storage/api/v1/applications/"+s.AppID, &app)
	title := []object{}
	for _, language := range []string{"nb", "nn", "en"} {
		if app.Title[language] != "" {
			title = append(title, object{"languageCode": language, "value": app.Title[language]})
		}
	}
	updated := s.LastChanged
	if updated.Before(s.Created) {
		updated = s.Created
	}
	return object{
		"id": id, "party": party, "serviceResource": "urn:altinn:resource:app_" + strings.ReplaceAll(s.AppID, "/", "_"),
		"status": statusOf(s, events.InstanceEvents), "createdAt": s.Created, "updatedAt": updated,
		"visibleFrom": s.VisibleAfter, "dueAt": s.DueBefore,
		"serviceOwnerContext": object{"serviceOwnerLabels": []object{{"value": "urn:altinn:integration:storage:" + s.ID}}},
		"content": object{
			"title":   object{"value": title, "mediaType": "text/plain"},
			"summary": object{"value": title, "mediaType": "text/plain"},
		},
		"attachments": attachments(s), "activities": c.activities(t, events.InstanceEvents),
	}
}

func statusOf(s source, events []happened) string {
	asked := slices.DeleteFunc(slices.Clone(events), func(e happened) bool {
		return strings.HasPrefix(e.Type, "process_") || e.Type == "ConfirmedComplete"
	})
	task := s.Process.CurrentTask.TaskType
	switch {
	case s.Status.IsArchived && (len(s.CompleteConfirmations) > 0 || s.DataValues["A1ArchRef"]+s.DataValues["A2ArchRef"] != ""):
		return "Completed"
	case s.Status.IsArchived, task == "feedback":
		return "Awaiting"
	case task == "reject":
		return "RequiresAttention"
	case task == "confirmation", task == "signing", asked[0].User.OrgID != "",
		slices.ContainsFunc(asked, func(e happened) bool { return e.ProcessInfo.CurrentTask.TaskType == "feedback" }):
		return "InProgress"
	}
	return "Draft"
}

func attachments(s source) []object {
	out := []object{}
	for _, e := range s.Data {
		name := []rune(e.Filename)
		if len(name) == 0 {
			name = []rune(e.DataType)
		}
		id := stamped(e.ID, e.Created)
		out = append(out, object{
			"id": id, "displayName": []object{{"languageCode": "nb", "value": string(name[:min(len(name), 255)])}},
			"urls": []object{{"id": id, "url": e.SelfLinks.Platform, "mediaType": e.ContentType, "consumerType": "Gui"}},
		})
	}
	return out
}

func (c *consumer) activities(t *testing.T, events []happened) []object {
	t.Helper()
	types := map[string]string{
		"Created": "DialogCreated", "Saved": "FormSaved", "Submited": "FormSubmitted", "Signed": "SignatureProvided",
		"SentToSign": "SentToSigning", "SentToPayment": "SentToPayment", "SentToSendIn": "SentToSendIn", "SentToFormFill": "SentToFormFill",
		"MessageArchived": "DialogClosed", "MessageRead": "DialogOpened", "Deleted": "DialogDeleted",
	}
	out := []object{}
	for _, e := range events {
		kind, ok := types[e.Type]
		if !ok || e.DataID != nil && (e.Type == "Created" || e.Type == "Deleted") {
			continue
		}
		actor := object{"actorType": "PartyRepresentative"}
		switch {
		case e.User.UserID != 0:
			urn := c.urn(t, world.URNUserID+strconv.FormatInt(e.User.UserID, 10))
			require.NotEmpty(t, urn, "every actor is known")
			if name, ok := strings.CutPrefix(urn, world.URNDisplayName); ok {
				actor["actorName"] = name
			} else {
				actor["actorId"] = urn
			}
		case e.User.System != 0:
			actor["actorName"] = fmt.Sprintf("EUS #%d", e.User.System)
		default:
			require.NotEmpty(t, e.User.OrgID)
			actor["actorType"] = "ServiceOwner"
		}
		out = append(out, object{"id": stamped(e.ID, e.Created), "type": kind, "createdAt": e.Created, "performedBy": actor})
	}
	return out
}
