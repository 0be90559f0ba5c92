package servicebus

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"sync/atomic"

	"github.com/altinn/dialogsync/internal/altinnsim/answer"
)

// ControlPath is where the simulator's own endpoints for the bus lie.
const ControlPath = "/_sim/servicebus"

const deadLettersShown = 100

// Control serves the simulator's own endpoints for the bus. Serve hands it the server once there is one.
type Control struct {
	broker *Broker
	server atomic.Pointer[Server]
}

// NewControl makes the endpoints for a broker.
func NewControl(broker *Broker) *Control { return &Control{broker: broker} }

// Serve names the server whose connections are cut on command.
func (c *Control) Serve(server *Server) { c.server.Store(server) }

// Broker is the one that is controlled.
func (c *Control) Broker() *Broker { return c.broker }

// queueState is what is shown of a queue.
type queueState struct {
	Name string `json:"name"`
	Counts
	DeadLetters []DeadLetter `json:"deadLetters"`
}

// ServeHTTP answers GET with the state of all queues, and PUT by replacing the fault rules. POST to `/cut`, `/detach` and
// `/lose-locks` does what it says once, to all connections and queues.
func (c *Control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	command := strings.Trim(strings.TrimPrefix(r.URL.Path, ControlPath), "/")
	switch {
	case r.Method == http.MethodGet && command == "":
		answer.JSON(w, http.StatusOK, c.state())
	case r.Method == http.MethodPut && command == "":
		var rules []Rule
		err := json.NewDecoder(r.Body).Decode(&rules)
		if err == nil {
			err = c.broker.SetFaults(rules...)
		}
		if err != nil {
			answer.WriteProblem(w, answer.Problem{Status: http.StatusBadRequest, Detail: fmt.Sprintf("fault rules: %s", err)})
			return
		}
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPost && command == "lose-locks":
		for _, q := range c.broker.queues {
			q.LoseLocks()
		}
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPost && (command == "cut" || command == "detach"):
		server, n := c.server.Load(), 0
		switch {
		case server == nil:
		case command == "cut":
			n = server.CutConnections()
		default:
			n = server.DetachLinks()
		}
		answer.JSON(w, http.StatusOK, map[string]int{"connections": n})
	default:
		answer.WriteProblem(w, answer.Problem{
			Status: http.StatusNotFound, Detail: "There are GET and PUT " + ControlPath + ", and POST to /cut, /detach and /lose-locks below it.",
		})
	}
}

func (c *Control) state() any {
	out := struct {
		Address     string       `json:"address,omitempty"`
		Connections int          `json:"connections"`
		Queues      []queueState `json:"queues"`
		Faults      []Rule       `json:"faults"`
	}{Queues: []queueState{}, Faults: c.broker.Faults()}
	if server := c.server.Load(); server != nil {
		out.Address, out.Connections = server.Addr(), server.Connections()
	}
	for _, q := range c.broker.queues {
		if q.dead == nil {
			continue
		}
		out.Queues = append(out.Queues, queueState{
			Name: q.options.Name, Counts: q.Counts(), DeadLetters: q.DeadLetters(deadLettersShown),
		})
	}
	sort.Slice(out.Queues, func(i, j int) bool { return out.Queues[i].Name < out.Queues[j].Name })
	return out
}
