package generator

import (
	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

// Text keys of a substatus.
const (
	substatusLabel       = "substatus.mottatt.label"
	substatusDescription = "substatus.mottatt.beskrivelse"
)

// texts are the app's text resources: one document a language (Storage reference, chapter 7). Real apps have repeated
// ids, missing ids and empty values, so these have too.
func (a *app) texts() [][]byte {
	var out [][]byte
	for _, t := range []struct{ language, title, label, description, summary string }{
		{"nb", a.title.NB, "Mottatt", "Etaten har mottatt skjemaet og behandler det.", "Fyll ut skjemaet og send inn."},
		{"nn", a.title.NN, "Motteke", "Etaten har motteke skjemaet og behandlar det.", "Fyll ut skjemaet og send inn."},
		{"en", a.title.EN, "Received", "The agency has received the form and is handling it.", "Fill in the form and submit it."},
	} {
		if t.title == "" {
			continue
		}
		if a.version < 3 {
			out = append(out, a.textResource(t.language, text("ServiceName", t.title)))
			continue
		}
		resources := []object{
			text("appName", t.title), text("appName", "Repeated"),
			{"value": "Without an id"},
			text(substatusLabel, t.label), text(substatusDescription, t.description),
			{"id": "tom", "value": nil},
			text("dp.additionalinfo", ""),
		}
		if a.period {
			resources = append(resources, text("dp.summary."+taskFill+".awaitinginitialuserinput", t.summary), text("dp.title", t.title))
		}
		if a.copies {
			resources = append(resources, text("dp.additionalinfo", t.description), text("dp.primaryactionlabel."+taskNext, t.title))
		}
		out = append(out, a.textResource(t.language, resources...))
	}
	return out
}

func text(id, value string) object { return object{"id": id, "value": value, "variables": nil} }

func (a *app) textResource(language string, resources ...object) []byte {
	return answer.Marshal(object{
		"id": a.org.Code + "-" + a.name + "-" + language, "org": a.org.Code, "app": a.name,
		"language": language, "resources": resources,
	})
}
