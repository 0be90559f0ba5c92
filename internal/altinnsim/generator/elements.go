package generator

import (
	"strconv"

	"github.com/google/uuid"
)

// Numbers of an instance's ids: elements first, then events.
const (
	idModel    uint64 = 0
	idReceipt  uint64 = 1
	idInternal uint64 = 2
	idSpecial  uint64 = 3  // and onwards: elements without stored content
	idSupplied uint64 = 15 // the dialog, of apps that choose its id
	idFiles    uint64 = 20 // and onwards
	idEvents   uint64 = 40 // and onwards
)

// element is a data element (Storage reference, 11.2).
type element struct {
	id               uuid.UUID
	kind, file       string
	content          string
	path             string // blobStoragePath; "" the normal one
	size             int64
	created, changed int64
	by, changedBy    string
	task             string // GeneratedFrom this task
	hash             bool
	metadata         [][2]string
}

// elements writes the data elements in the order of their creation.
func (w *writer) elements() {
	if w.migrated {
		w.migratedElements()
		return
	}
	user := strconv.FormatInt(w.user, 10)
	created := w.row.Created
	saved := created
	if n := len(w.saves); n > 0 {
		saved = w.saves[n-1]
	}
	w.data(element{
		id: w.id(idModel), kind: typeModel, content: "application/xml", size: 1500 + created%4096, created: created,
		changed: saved, by: w.creator(), changedBy: user,
	})
	if w.row.GUID[14]%16 == 0 {
		w.data(element{
			id: w.id(idInternal), kind: typeMeta, content: "application/json", size: 120, created: created, changed: created,
			by: w.creator(), changedBy: w.creator(),
		})
	}
	receipt := !w.archived()
	for i, f := range w.files {
		if !receipt && f.created > w.row.Settled {
			receipt = true
			w.receipt(user)
		}
		by := user
		if f.byOrg {
			by = w.app.org.Number
		}
		w.data(element{
			id: w.id(idFiles + uint64(i)), kind: f.kind, file: f.name, content: f.content, size: f.size,
			created: f.created, changed: f.created, by: by, changedBy: by, hash: true,
		})
	}
	if !receipt {
		w.receipt(user)
	}
}

func (l *life) archived() bool { return l.row.Stage >= stageUnconfirmed }

// receipt is the PDF that is made of the form when it is submitted.
func (w *writer) receipt(user string) {
	w.data(element{
		id: w.id(idReceipt), kind: typeReceipt, file: w.app.title.NB + ".pdf", content: "application/pdf", hash: true,
		size: 40_000 + w.row.Created%50_000, created: w.row.Settled, changed: w.row.Settled, by: user, changedBy: user, task: taskFill,
	})
}

// migratedElements are those of an archived form: some without content, made when they are asked for (12.2).
func (w *writer) migratedElements() {
	by, archived := w.creator(), w.row.Settled
	a1 := w.row.Version == 1
	presentation := [2]string{"A2PresVal", w.period()[:4]}
	form := [2]string{"formid", "1000"}
	if a1 {
		presentation[0], form[0] = "A1PresVal", "dataformid"
	}
	metadata := [][2]string{form, {"lformid", "2000"}, presentation}
	// The element that was stored last gave the instance its time, and need not be the newest.
	stored := w.stored
	w.data(element{
		id: w.id(idModel), kind: "skjema-xml", content: "application/xml", size: 2000 + w.row.Created%9000,
		created: min(w.row.Created, stored), changed: stored, by: by, changedBy: by, metadata: metadata,
	})
	for i, f := range w.files {
		w.data(element{
			id: w.id(idFiles + uint64(i)), kind: f.kind, file: f.name, content: f.content, size: f.size,
			created: max(f.created, w.row.Created), changed: max(f.created, w.row.Created), by: by, changedBy: by,
		})
	}
	onDemand := func(n uint64, kind, path, content, file string) {
		w.data(element{
			id: w.id(idSpecial + n), kind: kind, file: file, content: content, path: "ondemand/" + path,
			created: archived, changed: archived, by: by, changedBy: by, metadata: metadata,
		})
	}
	onDemand(0, typeReceipt, "formdatapdf", "application/pdf", "Skjema.pdf")
	if w.row.GUID[14]%4 == 0 {
		onDemand(1, typeHTML, "formdatahtml", "text/html", "Skjema.html")
	}
	if w.signedForm() {
		onDemand(2, typeSignature, "signature", "text/html", "Signatur.html")
	}
	if w.row.GUID[13]%8 == 0 {
		onDemand(3, typeSummary, "formsummaryhtml", "text/html", "Sammendrag.html")
	}
}

// signedForm says whether a migrated form was signed.
func (l *life) signedForm() bool { return l.row.GUID[15]%3 == 0 }

func (w *writer) data(e element) {
	w.element(func() {
		w.uuid("id", e.id)
		w.uuid("instanceGuid", w.row.GUID)
		w.text("dataType", e.kind)
		if e.file != "" {
			w.text("filename", e.file)
		}
		w.text("contentType", e.content)
		w.blobPath(e)
		if w.view.SelfLinks {
			w.selfLinks(e.id)
		}
		w.integer("size", e.size)
		if e.hash {
			w.text("contentHash", "b1946ac92492d2347c6235b4d2611184")
		}
		w.boolean("locked", !w.migrated && w.archived() && e.kind == typeModel)
		w.boolean("isRead", true)
		w.list("tags", func() {})
		if len(e.metadata) > 0 {
			w.list("metadata", func() {
				for _, m := range e.metadata {
					w.element(func() { w.text("key", m[0]); w.text("value", m[1]) })
				}
			})
		}
		if e.task != "" {
			w.list("references", func() {
				w.element(func() {
					w.text("value", e.task)
					w.text("relation", "GeneratedFrom")
					w.text("valueType", "Task")
				})
			})
		}
		w.text("fileScanResult", w.scanResult(e))
		w.time("created", e.created)
		w.text("createdBy", e.by)
		w.time("lastChanged", e.changed)
		w.text("lastChangedBy", e.changedBy)
	})
}

func (l *life) scanResult(e element) string {
	if l.odd {
		return unheard
	}
	if e.kind == typeVedlegg {
		return "Clean"
	}
	return "NotApplicable"
}

func (w *writer) blobPath(e element) {
	if e.path != "" {
		w.text("blobStoragePath", e.path)
		return
	}
	w.name("blobStoragePath")
	w.raw(`"` + w.app.id + "/")
	w.out = append(w.out, w.row.GUID.String()...)
	w.raw("/data/")
	w.out = append(w.out, e.id.String()...)
	w.raw(`"`)
}
