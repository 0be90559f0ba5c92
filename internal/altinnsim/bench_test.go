package altinnsim_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/altinn/dialogsync/internal/altinnsim"
	"github.com/altinn/dialogsync/internal/altinnsim/story"
)

// benchModes are how the simulator is set up for creates: as it starts without flags, and as huge runs have it
// (--record off --compact).
func benchModes() map[string]altinnsim.Options {
	return map[string]altinnsim.Options{
		"default": {},
		"slim":    {Record: story.Off, Compact: true},
	}
}

// BenchmarkCreatesByHandler is what creates cost on all cores without a network: routes, faults, counts and the story
// included.
func BenchmarkCreatesByHandler(b *testing.B) {
	for name, options := range benchModes() {
		b.Run(name, func(b *testing.B) {
			b.Helper()
			handler := benchSim(b, options).Handler()
			body, places := benchDialog(b)
			timed(b, func() {
				b.RunParallel(func(pb *testing.PB) { createByHandler(b, pb, handler, bytes.Clone(body), places) })
			})
		})
	}
}

func createByHandler(b *testing.B, pb *testing.PB, handler http.Handler, body []byte, places []int) {
	b.Helper()
	for pb.Next() {
		renew(body, places)
		// Not httptest's: it writes and reads a request line through a buffer of its own.
		r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, createPath, bytes.NewReader(body))
		if err != nil {
			b.Error(err)
			return
		}
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusCreated {
			b.Errorf("%d %s", w.Code, w.Body)
			return
		}
	}
}

// BenchmarkCreatesOverHTTP is what creates cost over loopback. The client shares the cores and is as bare as can be:
// kept connections, prepared bytes with new ids, answers read up to their length. One request at a time on each
// connection, or several written at once and answered in order.
func BenchmarkCreatesOverHTTP(b *testing.B) {
	for name, options := range benchModes() {
		for client, atOnce := range map[string]int{"one by one": 1, "pipelined": 16} {
			b.Run(name+"/"+client, func(b *testing.B) {
				b.Helper()
				server := httptest.NewServer(benchSim(b, options).Handler())
				b.Cleanup(server.Close)
				body, places := benchDialog(b)
				head := "POST " + createPath + " HTTP/1.1\r\nHost: " + server.Listener.Addr().String() +
					"\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
				request := append([]byte(head), body...)
				for i := range places {
					places[i] += len(head)
				}
				const connections = 16
				var left atomic.Int64
				left.Store(int64(b.N))
				failed := make(chan error, connections)
				timed(b, func() {
					for range connections {
						go func() { failed <- createOn(b.Context(), server.Listener.Addr(), request, places, atOnce, &left) }()
					}
					for range connections {
						require.NoError(b, <-failed)
					}
				})
			})
		}
	}
}

// BenchmarkBytesPerDialog is what a dialog takes of memory: run it with -benchtime 1000000x. Stories, which are bounded,
// are off.
func BenchmarkBytesPerDialog(b *testing.B) {
	for name, options := range map[string]altinnsim.Options{
		"whole": {Record: story.Off}, "compact": {Record: story.Off, Compact: true},
	} {
		b.Run(name, func(b *testing.B) {
			b.Helper()
			sim := benchSim(b, options)
			body, places := benchDialog(b)
			before := heapInUse()
			b.RunParallel(func(pb *testing.PB) { createByHandler(b, pb, sim.Handler(), bytes.Clone(body), places) })
			b.ReportMetric(float64(heapInUse()-before)/float64(b.N), "B/dialog")
			alive, _ := sim.Dialogporten.Count()
			require.Equal(b, b.N, alive)
		})
	}
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC() // pools are emptied by the second
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

const createPath = "/api/v1/serviceowner/dialogs?isSilentUpdate=true"

// timed runs creates and reports how many a second there were, and what one takes of processor time: unlike the former,
// that does not depend on what else the machine is doing.
func timed(b *testing.B, creates func()) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime(b)
	creates()
	took := processorTime(b) - before
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creates/s")
	b.ReportMetric(float64(took.Microseconds())/float64(b.N), "cpu-µs/create")
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func benchSim(b *testing.B, options altinnsim.Options) *altinnsim.Sim {
	b.Helper()
	sim, err := altinnsim.New(options)
	require.NoError(b, err)
	world := httptest.NewRequest(http.MethodPut, "/_sim/world", strings.NewReader(`{
		"organisations": {"ttd": "405003309"},
		"resources": [{"id": "app_ttd_skjema", "org": "ttd", "type": "AltinnApp"}],
		"partyNames": {"urn:altinn:organization:identifier-no:310702641": "FORNUFTIG TESTBEDRIFT AS"}}`))
	w := httptest.NewRecorder()
	sim.Handler().ServeHTTP(w, world)
	require.Equal(b, http.StatusNoContent, w.Code, w.Body)
	return sim
}

// createOn sends creates on one connection, so many at once, until none is left to send.
func createOn(ctx context.Context, to net.Addr, request []byte, places []int, atOnce int, left *atomic.Int64) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, to.Network(), to.String())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = connection.Close() }()
	batch := bytes.Repeat(request, atOnce)
	answers := bufio.NewReaderSize(connection, 1<<14)
	for {
		n := 0
		for ; n < atOnce && left.Add(-1) >= 0; n++ {
			renew(batch[n*len(request):], places)
		}
		if n == 0 {
			return nil
		}
		if _, err := connection.Write(batch[:n*len(request)]); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		for range n {
			if err := readCreated(answers); err != nil {
				return err
			}
		}
	}
}

// readCreated reads an answer 201 with a body of known length.
func readCreated(from *bufio.Reader) error {
	length, created := 0, false
	for {
		line, err := from.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
			created = bytes.HasPrefix(line, []byte("HTTP/1.1 201 "))
		}
		if text, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(text)); err != nil {
				return fmt.Errorf("content length: %w", err)
			}
		}
	}
	body, err := from.Peek(length)
	switch {
	case err != nil:
		return fmt.Errorf("read body: %w", err)
	case !created:
		return fmt.Errorf("not created: %s", body)
	}
	_, err = from.Discard(length)
	return err
}

// serial makes ids differ.
var serial atomic.Uint64

// renew puts new ids in a request's places: UUIDv7s of one time, made as cheaply as can be.
func renew(request []byte, places []int) {
	const digits = "0123456789abcdef"
	for _, at := range places {
		n := serial.Add(1) * 0x9e3779b97f4a7c15
		id := request[at : at+36]
		copy(id, "019076f0-0000-7000-8000-000000000000")
		for i := 35; i > 23; i-- {
			id[i] = digits[n&15]
			n >>= 4
		}
		for i := 22; i > 19; i-- {
			id[i] = digits[n&15]
			n >>= 4
		}
	}
}

// benchDialog is a create of some 3 KB such as the worker makes, with the places of its ids.
func benchDialog(b *testing.B) (body []byte, places []int) {
	b.Helper()
	const marker = "00000000-0000-7000-8000-000000000000"
	type object = map[string]any
	type list = []any
	texts := func(text string) list {
		return list{
			object{"value": text, "languageCode": "nb"},
			object{"value": text + " nn", "languageCode": "nn"},
			object{"value": text + " en", "languageCode": "en"},
		}
	}
	gui := func(action, priority string) object {
		return object{
			"id": marker, "action": action, "priority": priority, "title": texts("Gå til skjemautfylling"),
			"url": "https://platform.altinn.no/authentication/api/v1/authentication?goto=https%3A%2F%2F" +
				"ttd.apps.altinn.no%2Fttd%2Fskjema%2F%23%2Finstance%2F50001337%2F6f3da581",
		}
	}
	activity := func(kind string) object {
		return object{
			"id": marker, "type": kind, "createdAt": "2024-06-18T08:54:53.6233769Z",
			"performedBy": object{"actorType": "PartyRepresentative", "actorId": "urn:altinn:organization:identifier-no:310702641"},
		}
	}
	raw, err := json.Marshal(object{
		"id": marker, "serviceResource": "urn:altinn:resource:app_ttd_skjema", "party": "urn:altinn:organization:identifier-no:310702641",
		"status": "Completed", "createdAt": "2024-06-18T08:54:53.6233769Z", "updatedAt": "2024-06-19T08:54:53.6233769Z",
		"content":             object{"title": object{"value": texts("Innsending av skjema")}, "summary": object{"value": texts("Innsendingen er bekreftet mottatt.")}},
		"serviceOwnerContext": object{"serviceOwnerLabels": list{object{"value": "urn:altinn:integration:storage:50001337/" + marker}}},
		"attachments": list{object{"id": marker, "displayName": texts("skjema.pdf")[:1], "urls": list{object{
			"id": marker, "url": "https://ttd.apps.altinn.no/ttd/skjema/instances/1/2/data/3", "consumerType": "Gui", "mediaType": "application/pdf",
		}}}},
		"guiActions": list{gui("read", "Primary"), gui("delete", "Secondary")},
		"apiActions": list{object{"id": marker, "action": "read", "endpoints": list{object{
			"id": marker, "httpMethod": "GET", "url": "https://ttd.apps.altinn.no/ttd/skjema/instances/1/2",
		}}}},
		"activities": list{activity("DialogCreated"), activity("FormSaved"), activity("FormSubmitted")},
	})
	require.NoError(b, err)
	for at := 0; ; at++ {
		next := bytes.Index(raw[at:], []byte(marker))
		if next < 0 {
			return raw, places
		}
		at += next
		places = append(places, at)
	}
}
