package storage

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// DefaultPageSize is the number of rows a page has when a query does not say (Storage reference, 3.2).
const DefaultPageSize = 100

// Query is one question for instances. Times bound `lastChanged`; zero ones do not.
type Query struct {
	// Org is the org code, AppID is `org/app`; one of them must be given.
	Org   string
	AppID string
	// PartyID is the owner's; 0: any.
	PartyID int64
	// From is the first time included.
	From time.Time
	// To is the first time no longer included.
	To time.Time
	// UpTo is the last time included.
	UpTo time.Time
	// At is the only time included.
	At time.Time
	// MainVersionInclude and MainVersionExclude choose among A1, A2 and A3. With neither, A1 and A2 are hidden;
	// excluding 0 shows all (Storage reference, 3.4).
	MainVersionInclude *int
	MainVersionExclude *int
	// Descending is newest first. It cannot be combined with Token.
	Descending bool
	// Size is the number of rows a page; default DefaultPageSize.
	Size int
	// Token is the NextToken of the page before.
	Token string
}

var (
	// ErrDescendingToken tells that a descending walk was to follow a token: such pages lose rows that share a time
	// (Storage reference, 3.5).
	ErrDescendingToken = errors.New("a continuation token cannot be followed in descending order")
	// ErrUnboundedQuery tells that a query names neither organisation nor application.
	ErrUnboundedQuery = errors.New("a query for instances needs an organisation or an application")
)

// encode gives the query string. Parameters are in fixed order and nothing is sent that was not asked for.
func (q Query) encode() (string, error) {
	if q.Descending && q.Token != "" {
		return "", ErrDescendingToken
	}
	if q.Org == "" && q.AppID == "" {
		return "", ErrUnboundedQuery
	}
	var out parameters
	order := "asc:lastChanged"
	if q.Descending {
		order = "desc:lastChanged"
	}
	out.add("order", order)
	if q.Org != "" {
		out.add("org", q.Org)
	}
	if q.AppID != "" {
		out.add("appId", q.AppID)
	}
	if q.PartyID != 0 {
		out.add("instanceOwner.partyId", strconv.FormatInt(q.PartyID, 10))
	}
	out.addTime("gte", q.From)
	out.addTime("lt", q.To)
	out.addTime("lte", q.UpTo)
	out.addTime("eq", q.At)
	if q.MainVersionInclude != nil {
		out.add("mainVersionInclude", strconv.Itoa(*q.MainVersionInclude))
	}
	if q.MainVersionExclude != nil {
		out.add("mainVersionExclude", strconv.Itoa(*q.MainVersionExclude))
	}
	size := q.Size
	if size <= 0 {
		size = DefaultPageSize // 0 would lead back to the first page for ever, less fails
	}
	out.add("size", strconv.Itoa(size))
	if q.Token != "" {
		out.add(tokenParameter, q.Token)
	}
	return out.String(), nil
}

func (q Query) size() int {
	if q.Size <= 0 {
		return DefaultPageSize
	}
	return q.Size
}

// parameters is a query string being built.
type parameters struct{ strings.Builder }

func (p *parameters) add(name, value string) {
	if p.Len() > 0 {
		p.WriteByte('&')
	}
	p.WriteString(name + "=" + url.QueryEscape(value))
}

// addTime adds a bound on lastChanged in UTC with seven decimals: fewer than six miss or repeat rows.
func (p *parameters) addTime(operator string, t time.Time) {
	if !t.IsZero() {
		p.add("lastChanged", fmt.Sprintf("%s:%s", operator, t.UTC().Format("2006-01-02T15:04:05.0000000Z")))
	}
}
