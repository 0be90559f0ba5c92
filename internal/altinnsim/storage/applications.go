package storage

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
	"github.com/altinn/dialogsync/internal/altinnsim/auth"
)

// applications holds applications and their texts, in the order they were put.
type applications struct {
	mu   sync.RWMutex
	ids  []string
	byID map[string]application
}

type application struct {
	raw         json.RawMessage
	preventDays int
	settings    Settings
	texts       map[string]json.RawMessage // by language
}

// Settings are the switches of an application that decide whether its instances get dialogs
// (app-instances reference, chapter 13).
type Settings struct {
	DisableSync                bool `json:"disableSync"`
	DisableCreate              bool `json:"disableCreate"`
	DisableDelete              bool `json:"disableDelete"`
	DisableSyncStatus          bool `json:"disableSyncStatus"`
	NotCompletedWhenConfirmed  bool `json:"disableMarkCompletedWhenConfirmed"`
	EnableUserSuppliedDialogID bool `json:"enableUserSuppliedDialogId"`
}

func newApplications() *applications {
	a := &applications{}
	a.clear()
	return a
}

func (a *applications) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ids, a.byID = nil, map[string]application{}
}

func (a *applications) preventDays(id string) int {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.byID[id].preventDays
}

// Settings are the switches of an application; all off when it is not known.
func (s *Service) Settings(appID string) Settings {
	s.applications.mu.RLock()
	defer s.applications.mu.RUnlock()
	return s.applications.byID[appID].settings
}

// PutApplication puts an application in place as it is written. Its texts stay.
func (s *Service) PutApplication(raw json.RawMessage) error {
	var in struct {
		ID          string `json:"id"`
		PreventDays *int   `json:"preventInstanceDeletionForDays"`
		MessageBox  struct {
			Settings Settings `json:"syncAdapterSettings"`
		} `json:"messageBoxConfig"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return fmt.Errorf("read application: %w", err)
	}
	if org, app, ok := strings.Cut(in.ID, "/"); !ok || org == "" || app == "" {
		return fmt.Errorf("application id %q is not {org}/{app}", in.ID)
	}
	a := s.applications
	a.mu.Lock()
	defer a.mu.Unlock()
	old, known := a.byID[in.ID]
	if !known {
		a.ids = append(a.ids, in.ID)
	}
	fresh := application{raw: slices.Clone(raw), texts: old.texts, settings: in.MessageBox.Settings}
	if in.PreventDays != nil {
		fresh.preventDays = *in.PreventDays
	}
	a.byID[in.ID] = fresh
	return nil
}

// PutTexts puts a text resource in place. Its app is named by app or appId, or follows from id, which is
// {org}-{app}-{language}. The application need not exist.
func (s *Service) PutTexts(raw json.RawMessage) error {
	var in struct {
		ID       string `json:"id"`
		Org      string `json:"org"`
		App      string `json:"app"`
		AppID    string `json:"appId"`
		Language string `json:"language"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return fmt.Errorf("read texts: %w", err)
	}
	id := in.AppID
	if id == "" && in.App != "" {
		id = in.Org + "/" + strings.TrimPrefix(in.App, in.Org+"/")
	}
	if id == "" {
		id = in.Org + "/" + strings.TrimSuffix(strings.TrimPrefix(in.ID, in.Org+"-"), "-"+in.Language)
	}
	org, app, _ := strings.Cut(id, "/")
	if org == "" || app == "" || in.Language == "" {
		return fmt.Errorf("texts %q: org, app and language must be told", in.ID)
	}
	members, err := parseMembers(raw)
	if err != nil {
		return err
	}
	members = slices.DeleteFunc(members, func(m member) bool { return m.name == "app" || m.name == "appId" })
	d := document{members: members}
	// The service always writes the id anew (7).
	d.set("id", appendJSON(nil, org+"-"+app+"-"+in.Language))
	a := s.applications
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.byID[id]
	texts := map[string]json.RawMessage{}
	maps.Copy(texts, known.texts)
	texts[in.Language] = d.append(nil, View{Elements: true})
	known.texts = texts
	a.byID[id] = known
	return nil
}

// listApplications answers the applications of all organisations or of one (6).
func (s *Service) listApplications(w http.ResponseWriter, r *http.Request) {
	org := r.PathValue("org")
	if strings.ContainsAny(org, "- ") {
		answer.Text(w, http.StatusBadRequest, "Application owner id '"+org+"' is not valid")
		return
	}
	a := s.applications
	a.mu.RLock()
	defer a.mu.RUnlock()
	body := []byte(`{"applications":[`)
	first := true
	for _, id := range a.ids {
		if org != "" && orgOf(id) != org {
			continue
		}
		if !first {
			body = append(body, ',')
		}
		first = false
		body = append(body, a.byID[id].raw...)
	}
	answer.Raw(w, http.StatusOK, append(body, "]}"...))
}

// getApplication answers one application (6).
func (s *Service) getApplication(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("org") + "/" + r.PathValue("app")
	s.applications.mu.RLock()
	found := s.applications.byID[id]
	s.applications.mu.RUnlock()
	if found.raw == nil {
		answer.Text(w, http.StatusNotFound, "Could not find an application with appId="+id)
		return
	}
	answer.Raw(w, http.StatusOK, found.raw)
}

// getTexts answers an application's texts in a language (7).
func (s *Service) getTexts(w http.ResponseWriter, r *http.Request, _ auth.Caller) {
	language := r.PathValue("language")
	if len(language) != 2 || !letters(language) {
		answer.Text(w, http.StatusBadRequest, "The language must be a two letter ISO language name.")
		return
	}
	s.applications.mu.RLock()
	texts := s.applications.byID[r.PathValue("org")+"/"+r.PathValue("app")].texts[language]
	s.applications.mu.RUnlock()
	if texts == nil {
		answer.WriteProblem(w, answer.Problem{Status: http.StatusNotFound})
		return
	}
	answer.Raw(w, http.StatusOK, texts)
}
