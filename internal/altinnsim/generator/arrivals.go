package generator

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/storage"
	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// Arrival is an instance that comes while the simulator runs: it is written once, and Storage keeps it from then on.
type Arrival struct {
	AppID    string
	Party    int32
	Instance json.RawMessage
	Events   []json.RawMessage
}

// FormSpec says which archived form arrives. What is left out is drawn.
type FormSpec struct {
	AppID       string    // "" one of the apps of the version
	Version     uint8     // 1 or 2; 0: that of the app, or 2
	Party       int32     // 0: somebody
	Reference   string    // archive reference; a number
	Created     time.Time // whole seconds; zero: some time before LastChanged
	LastChanged time.Time // Altinn 2's, whole seconds
	GUID        uuid.UUID // Nil: a new one
}

// purposeArrival keeps arrivals apart from what is generated of the same seed.
const purposeArrival = 0xa771fa1

// pool is how many different parties own instances.
func (o Options) pool() uint64 { return uint64(max(10, (o.Instances+2)/3)) }

// arriving are the dice and the maker of one arrival. The same seed makes the same arrival.
func (g *Generator) arriving(seed uint64) *maker {
	roll := dice{world.NewDice(world.Mix(world.Mix(g.options.Seed^purposeArrival) ^ seed))}
	m := &maker{generator: g, dice: &roll, pool: g.options.pool()}
	weights := g.orgWeights()
	for rest := roll.Unit(); m.cell.org < len(weights)-1; m.cell.org++ {
		if rest -= weights[m.cell.org]; rest < 0 {
			break
		}
	}
	return m
}

func (m *maker) guid() uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], m.dice.Next())
	binary.BigEndian.PutUint64(id[8:], m.dice.Next())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Draft is an instance of Altinn 3 that is begun at that time.
func (g *Generator) Draft(seed uint64, at time.Time) Arrival {
	m := g.arriving(seed)
	apps := g.byOrg[m.cell.org]
	a := apps[m.dice.Below(int64(len(apps)))]
	row := storage.Row{GUID: m.guid(), Party: m.party(), App: a.number, Detail: a.detail, Version: a.version, Stage: stageDraft}
	row.Created = at.UnixMicro()
	row.Settled, row.LastChanged = row.Created, row.Created
	if m.dice.Chance(0.3) {
		row.Flags |= storage.Prefilled
	}
	return g.arrival(a, row, 0)
}

// Form is an archived form of Altinn 1 or 2. The only errors are those of the spec.
func (g *Generator) Form(seed uint64, spec FormSpec) (Arrival, error) {
	m := g.arriving(seed)
	a, err := m.formApp(spec)
	if err != nil {
		return Arrival{}, err
	}
	first := int64(firstA2Reference)
	if a.version == 1 {
		first = firstA1Reference
	}
	reference, err := strconv.ParseInt(spec.Reference, 10, 32)
	if err != nil {
		return Arrival{}, fmt.Errorf("archive reference: %w", err)
	}
	row := storage.Row{
		GUID: spec.GUID, Party: spec.Party, App: a.number, Detail: a.detail, Version: a.version, Stage: stageMigrated,
		Flags: storage.Archived,
	}
	if row.GUID == uuid.Nil {
		row.GUID = m.guid()
	}
	if row.Party == 0 {
		row.Party = m.party()
	}
	row.LastChanged = spec.LastChanged.Truncate(time.Second).UnixMicro()
	row.Settled = row.LastChanged
	row.Created = row.Settled - m.dice.skewed(minute, 20*dayMicros)/second*second
	if !spec.Created.IsZero() {
		row.Created = spec.Created.Truncate(time.Second).UnixMicro()
	}
	if row.Created > row.LastChanged {
		return Arrival{}, fmt.Errorf("form %s: created later than it was last changed", spec.Reference)
	}
	return g.arrival(a, row, storage.RowID(reference-first)), nil
}

func (m *maker) formApp(spec FormSpec) (*app, error) {
	if spec.AppID != "" {
		for _, a := range m.generator.apps {
			if a.id == spec.AppID && a.version < 3 && (spec.Version == 0 || spec.Version == a.version) {
				return a, nil
			}
		}
		return nil, fmt.Errorf("no app %q of archived forms among those that were generated", spec.AppID)
	}
	apps := m.generator.a2[m.cell.org]
	switch spec.Version {
	case 0, 2:
	case 1:
		apps = m.generator.a1[m.cell.org]
	default:
		return nil, fmt.Errorf("main version %d has no archived forms", spec.Version)
	}
	return apps[m.dice.Below(int64(len(apps)))], nil
}

func (g *Generator) arrival(a *app, row storage.Row, id storage.RowID) Arrival {
	out := Arrival{
		AppID: a.id, Party: row.Party,
		Instance: g.AppendInstance(nil, storage.View{Row: row, ID: id, SelfLinks: true, Elements: true}),
	}
	for _, event := range g.Events(row, id) {
		out.Events = append(out.Events, event.JSON)
	}
	return out
}

// FormOf is the row whose form has that archive reference, if this generator's forms go by such references.
func (g *Generator) FormOf(version uint8, reference string) (storage.RowID, bool) {
	n, err := strconv.ParseInt(reference, 10, 64)
	switch {
	case err != nil:
		return 0, false
	case version == 1:
		n -= firstA1Reference
	case version == 2:
		n -= firstA2Reference
	default:
		return 0, false
	}
	return storage.RowID(n), n > 0
}

// Process is what the processes of an app's instances can do.
type Process struct {
	Fill storage.Task
	// Next is the task between filling in and the end; its type is data for apps that have none.
	Next storage.Task
	// Reject is where the service owner can send a form that it does not take; only after feedback.
	Reject storage.Task
}

// HasNext says whether there is a task between filling in and the end.
func (p Process) HasNext() bool { return p.Next.Type != flowSimple.taskType() }

// ProcessOf is the process of an app of Altinn 3. ok is false for apps of others.
func (g *Generator) ProcessOf(appID string) (process Process, ok bool) {
	for _, a := range g.apps {
		if a.id != appID || a.version < 3 {
			continue
		}
		const onwards = "CompleteCurrentMoveToNext"
		return Process{
			Fill:   storage.Task{ElementID: taskFill, Name: flowSimple.taskName(), Type: flowSimple.taskType(), FlowType: onwards},
			Next:   storage.Task{ElementID: taskNext, Name: a.flow.taskName(), Type: a.flow.taskType(), FlowType: onwards},
			Reject: storage.Task{ElementID: "Task_reject", Name: "Avvist", Type: "reject", FlowType: onwards},
		}, true
	}
	return Process{}, false
}

// Names of things that instances of generated apps have, for those who change them.
const (
	ModelType            = typeModel
	AttachmentType       = typeVedlegg
	ReceiptType          = typeReceipt
	SubstatusLabel       = substatusLabel
	SubstatusDescription = substatusDescription
)
