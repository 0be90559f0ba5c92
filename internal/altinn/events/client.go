package events

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/altinn/dialogsync/internal/transport"
)

const (
	serviceName       = "events"
	subscriptionsPath = "/events/api/v1/subscriptions"
	// resourcePrefix and an app's id with an underscore for its slash are the app's resource.
	resourcePrefix = "urn:altinn:resource:app_"
)

// MatchCache is how long Events may remember which subscriptions match: a new one may miss events for so long, and a deleted
// one may still receive some (Storage reference 15.3).
const MatchCache = time.Hour

// ErrNoSubscription tells that there is no such subscription.
var ErrNoSubscription = errors.New("no such subscription")

// Client calls Events. It is safe for use by many goroutines.
type Client struct {
	caller transport.Caller
}

// New makes a client of the Events service below baseURL (`https://platform.altinn.no`); hc brings authentication, limits and
// retries (transport.NewClient).
func New(baseURL string, hc *http.Client) *Client {
	return &Client{caller: transport.NewCaller(serviceName, baseURL, hc)}
}

// Subscription is an order to push events to an endpoint. Filters that are not used are empty.
type Subscription struct {
	ID int64 `json:"id"`
	// EndPoint is an https URL. Its path is a secret where it is this program's.
	EndPoint       string `json:"endPoint"`
	SourceFilter   string `json:"sourceFilter,omitempty"`
	SubjectFilter  string `json:"subjectFilter,omitempty"`
	ResourceFilter string `json:"resourceFilter,omitempty"`
	TypeFilter     string `json:"typeFilter,omitempty"`
	// Consumer is who receives, CreatedBy who ordered: `/org/ttd`.
	Consumer  string    `json:"consumer,omitempty"`
	CreatedBy string    `json:"createdBy,omitempty"`
	Created   time.Time `json:"created,omitzero"`
	// Validated: the endpoint has answered the validation event; before, nothing is pushed.
	Validated bool `json:"validated"`
}

// AppID is the app subscribed to, `org/app`; empty for a subscription to something else.
func (s *Subscription) AppID() string {
	rest, isApp := strings.CutPrefix(s.ResourceFilter, resourcePrefix)
	org, app, found := strings.Cut(rest, "_") // codes of organisations hold no underscore
	if !isApp || !found {
		return ""
	}
	return org + "/" + app
}

// OfAllEventsOf tells whether the subscription is to all events of an app, whoever they are about.
func (s *Subscription) OfAllEventsOf(appID string) bool {
	return s.AppID() == appID && s.SubjectFilter == "" && s.TypeFilter == ""
}

// List gives one's own subscriptions, validated or not.
func (c *Client) List(ctx context.Context) ([]Subscription, error) {
	var list struct {
		Subscriptions []Subscription `json:"subscriptions"`
	}
	answer, err := c.caller.Call(ctx, transport.Request{Method: http.MethodGet, Path: subscriptionsPath})
	if err == nil {
		err = answer.Decode(&list)
	}
	if err != nil {
		return nil, fmt.Errorf("list subscriptions: %w", err)
	}
	return list.Subscriptions, nil
}

// Subscribe orders all events of an app to be pushed to an endpoint. Repeating it gives the subscription that is there and has
// the endpoint asked again whether it answers, which revives one that was not validated.
func (c *Client) Subscribe(ctx context.Context, appID, endPoint string) (Subscription, error) {
	// A filter of "" would match nothing: those not used are left out (Storage reference 15.3).
	order := struct {
		EndPoint       string `json:"endPoint"`
		ResourceFilter string `json:"resourceFilter"`
	}{endPoint, resourcePrefix + strings.Replace(appID, "/", "_", 1)}
	var s Subscription
	answer, err := c.caller.Call(ctx, transport.Request{Method: http.MethodPost, Path: subscriptionsPath, Body: order})
	if err == nil {
		err = answer.Decode(&s)
	}
	if err != nil {
		return s, fmt.Errorf("subscribe to %s: %w", appID, err)
	}
	return s, nil
}

// Delete ends a subscription; ErrNoSubscription when there is none.
func (c *Client) Delete(ctx context.Context, id int64) error {
	answer, err := c.caller.Call(ctx, transport.Request{
		Method: http.MethodDelete, Path: subscriptionsPath + "/" + strconv.FormatInt(id, 10),
	})
	switch {
	case err != nil:
	case answer.Status == http.StatusNotFound:
		err = ErrNoSubscription
	case !answer.IsSuccess():
		err = answer.Err()
	}
	if err != nil {
		return fmt.Errorf("delete subscription %d: %w", id, err)
	}
	return nil
}
