package httpserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/altinn/dialogsync/internal/altinn"
	"github.com/altinn/dialogsync/internal/altinn/storage"
	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/telemetry"
)

// syncCommand is the body of the sync command, as on the bus (Storage reference 14). Names are read in any letter case.
type syncCommand struct {
	AppID string `json:"appId"`
	// PartyID is digits, as text or as a number.
	PartyID           json.RawMessage `json:"partyId"`
	InstanceID        string          `json:"instanceId"`
	InstanceCreatedAt altinn.Time     `json:"instanceCreatedAt"`
	IsMigration       bool            `json:"isMigration"`
}

// syncDialog takes the sync command that existing tools send.
func (i *Intake) syncDialog(w http.ResponseWriter, r *http.Request) {
	body, ok := i.body(w, r, live.IntakeCommand)
	if !ok {
		return
	}
	var sent syncCommand
	if err := json.Unmarshal(body, &sent); err != nil {
		i.refuse(w, r, live.IntakeCommand, resultMalformed, http.StatusBadRequest, "the body is no sync command")
		return
	}
	id, err := altinn.ParseInstanceID(strings.Trim(string(sent.PartyID), `"`) + "/" + sent.InstanceID)
	if err != nil {
		i.refuse(w, r, live.IntakeCommand, resultMalformed, http.StatusBadRequest, "partyId or instanceId is malformed")
		return
	}
	command := live.Command{
		ID: id, AppID: sent.AppID, Created: sent.InstanceCreatedAt.Time, Migration: sent.IsMigration, Intake: live.IntakeCommand,
	}
	if i.accept(w, r, live.IntakeCommand, []live.Command{command}) {
		w.WriteHeader(http.StatusNoContent)
	}
}

// syncDialogSimple takes a command that names an instance alone; the rest is asked of Storage. 404 means that Storage has no
// such instance, and never that the read failed (Storage reference 4).
func (i *Intake) syncDialogSimple(w http.ResponseWriter, r *http.Request) {
	id, err := altinn.ParseInstanceID(r.PathValue("partyId") + "/" + r.PathValue("guid"))
	if err != nil {
		i.refuse(w, r, live.IntakeCommand, resultUnknown, http.StatusNotFound, "no such instance")
		return
	}
	migration := false
	if text := r.URL.Query().Get("isMigration"); text != "" {
		if migration, err = strconv.ParseBool(strings.ToLower(text)); err != nil {
			i.refuse(w, r, live.IntakeCommand, resultMalformed, http.StatusBadRequest, "isMigration is neither true nor false")
			return
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), acceptTimeout)
	defer cancel()
	command, err := i.named(ctx, id)
	switch {
	case errors.Is(err, storage.ErrInstanceGone):
		i.refuse(w, r, live.IntakeCommand, resultUnknown, http.StatusNotFound, "no such instance")
		return
	case err != nil:
		i.Log.Warn("instance of a command could not be read", zap.String(telemetry.LogKeyItem, id.String()), zap.Error(err))
		i.unavailable(w, r, live.IntakeCommand)
		return
	}
	command.Migration = migration
	if i.accept(w, r.WithContext(ctx), live.IntakeCommand, []live.Command{command}) {
		w.WriteHeader(http.StatusNoContent)
	}
}

// named makes the command of an instance that Storage has.
func (i *Intake) named(ctx context.Context, id altinn.InstanceID) (live.Command, error) {
	instance, err := i.Instances.GetInstance(ctx, id)
	if err != nil {
		return live.Command{}, err
	}
	own, err := instance.InstanceID() // the party may be another than the one asked with
	if err != nil {
		return live.Command{}, err
	}
	command := live.Command{ID: own, AppID: instance.AppID, Intake: live.IntakeCommand}
	if instance.Created != nil {
		command.Created = instance.Created.Time
	}
	return command, nil
}
