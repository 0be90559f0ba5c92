package correspondence

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// System labels go as numbers (10.3).
const (
	labelBin     = 2
	labelArchive = 3
)

// addActivity adds an activity (10.1). existing says whether one that is there already counts as success.
func (s *Service) addActivity(ctx context.Context, item Item, dialog string, a activityBody, existing bool) error {
	r, err := s.dialog(ctx, item, http.MethodPost, dialog, "/activities", silently, a)
	if err != nil {
		return err
	}
	if r.ok() || existing && r.exists() {
		return nil
	}
	return refusal{http.MethodPost, "activities", r}
}

type labelsBody struct {
	DialogID     string    `json:"dialogId"`
	PerformedBy  actorBody `json:"performedBy"`
	AddLabels    []int     `json:"addLabels"`
	RemoveLabels []int     `json:"removeLabels"`
}

// setLabels is 10.3. Without a known actor nothing is done; a deleted dialog is fine as it is.
func (s *Service) setLabels(ctx context.Context, item Item, urn string, add, remove []int) error {
	dialog, skip, err := dialogOf(item)
	if err != nil || skip || urn == "" {
		return err
	}
	body := labelsBody{
		DialogID: dialog, PerformedBy: actorBody{ActorType: partyActor, ActorID: &urn},
		AddLabels: append([]int{}, add...), RemoveLabels: append([]int{}, remove...),
	}
	r, err := s.dialog(ctx, item, http.MethodPut, dialog, "/endusercontext/systemlabels", "", body)
	if err != nil {
		return err
	}
	if r.ok() || r.status == http.StatusGone {
		return nil
	}
	return refusal{http.MethodPut, "systemlabels", r}
}

type patchOperation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value string `json:"value,omitempty"`
}

// patchConfirmed takes the confirmation out of a dialog (10.2).
func (s *Service) patchConfirmed(ctx context.Context, item Item, dialog string) error {
	r, err := s.dialog(ctx, item, http.MethodGet, dialog, "", "", nil)
	if err != nil {
		return err
	}
	if !r.ok() {
		return refusal{http.MethodGet, "dialog", r}
	}
	patch, err := confirmedPatch(r.body, itemRoot(s.config.Base, item.ID)+"/confirm")
	if err != nil || len(patch) == 0 {
		return err
	}
	if r, err = s.dialog(ctx, item, http.MethodPatch, dialog, "", silently, patch); err != nil {
		return err
	}
	if !r.ok() {
		return refusal{http.MethodPatch, "dialog", r}
	}
	return nil
}

func confirmedPatch(dialog []byte, address string) ([]patchOperation, error) {
	var have struct {
		Status     string `json:"status"`
		GUIActions []struct {
			URL string `json:"url"`
		} `json:"guiActions"`
		APIActions []struct {
			Endpoints []struct {
				URL string `json:"url"`
			} `json:"endpoints"`
		} `json:"apiActions"`
	}
	if err := json.Unmarshal(dialog, &have); err != nil {
		return nil, fmt.Errorf("read dialog: %w", err)
	}
	var patch []patchOperation
	for i, action := range have.GUIActions {
		if action.URL == address {
			patch = append(patch, patchOperation{Op: "remove", Path: "/guiActions/" + strconv.Itoa(i)})
			break
		}
	}
actions:
	for i, action := range have.APIActions {
		for _, endpoint := range action.Endpoints {
			if endpoint.URL == address {
				patch = append(patch, patchOperation{Op: "remove", Path: "/apiActions/" + strconv.Itoa(i)})
				break actions
			}
		}
	}
	if have.Status == statusAttention {
		patch = append(patch, patchOperation{Op: "replace", Path: "/status", Value: statusNotApplicable})
	}
	return patch, nil
}

// tellPurge soft-deletes a dialog, and only then says so on it (10.4).
func (s *Service) tellPurge(ctx context.Context, e *entry, item Item, status Status) error {
	dialog, skip, err := dialogOf(item)
	if err != nil || skip {
		return err
	}
	r, err := s.dialog(ctx, item, http.MethodDelete, dialog, "", "", nil)
	if err != nil {
		return err
	}
	if !r.ok() && r.status != http.StatusNotFound && r.status != http.StatusGone {
		return refusal{http.MethodDelete, "dialog", r}
	}
	name := "mottaker"
	if status.Kind == PurgedByAltinn {
		name = "avsender"
	}
	a := activityBody{
		ID: s.fixedID(e, PurgedByRecipient), CreatedAt: instant(status.At), Type: "DialogDeleted",
		PerformedBy: actorBody{ActorType: partyActor, ActorName: &name}, Description: []textBody{},
	}
	// One that is there already is a failure here, unlike everywhere else.
	return s.addActivity(ctx, item, dialog, a, false)
}
