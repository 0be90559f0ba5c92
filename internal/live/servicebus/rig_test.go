package servicebus_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/altinn/dialogsync/internal/altinnsim/outbox"
	bus "github.com/altinn/dialogsync/internal/altinnsim/servicebus"
	"github.com/altinn/dialogsync/internal/live"
	"github.com/altinn/dialogsync/internal/live/servicebus"
	"github.com/altinn/dialogsync/internal/postgres/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Suite{M: m}) }

const (
	queueName = "altinn.dialogportenadapter.webapi"
	patience  = 5 * time.Minute
	moment    = time.Millisecond
)

// book is where commands are committed. refuse, when set, is asked first.
type book struct {
	mu      sync.Mutex
	refuse  func(ctx context.Context, commands []live.Command) error
	written map[uuid.UUID]int
	calls   int
}

func newBook() *book { return &book{written: map[uuid.UUID]int{}} }

func (b *book) Accept(ctx context.Context, commands ...live.Command) error {
	b.mu.Lock()
	refuse := b.refuse
	b.calls++
	b.mu.Unlock()
	if refuse != nil {
		if err := refuse(ctx, commands); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range commands {
		b.written[c.ID.GUID]++
	}
	return nil
}

func (b *book) setRefuse(refuse func(ctx context.Context, commands []live.Command) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse = refuse
}

func (b *book) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.written)
}

func (b *book) times(id uuid.UUID) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.written[id]
}

// rig is a bus and what stands before it.
type rig struct {
	broker *bus.Broker
	server *bus.Server
	queue  *bus.Queue
	book   *book
	logs   *observer.ObservedLogs
	reader *sdkmetric.ManualReader
	logger *zap.Logger
	meters *sdkmetric.MeterProvider
}

func newRig(t testing.TB, options bus.QueueOptions) *rig {
	t.Helper()
	options.Name = queueName
	broker, err := bus.New(bus.Options{Queues: []bus.QueueOptions{options}})
	require.NoError(t, err)
	core, logs := observer.New(zap.DebugLevel)
	r := &rig{
		broker: broker, queue: broker.Queue(queueName), book: newBook(), logs: logs, logger: zap.New(core), reader: sdkmetric.NewManualReader(),
	}
	r.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader))
	r.listen(t, broker, "127.0.0.1:0")
	t.Cleanup(func() { require.NoError(t, r.server.Close()) })
	return r
}

// listen begins to serve; the address is that of before, when there was one.
func (r *rig) listen(t testing.TB, broker *bus.Broker, address string) {
	t.Helper()
	require.Eventually(t, func() bool {
		server, err := broker.Listen(context.WithoutCancel(t.Context()), address)
		if err == nil {
			r.server = server
		}
		return err == nil
	}, patience, moment)
}

func (r *rig) config() servicebus.Config {
	return servicebus.Config{
		Connection: r.server.ConnectionString(), Queue: queueName, Accepter: r.book, Logger: r.logger, Meter: r.meters.Meter("servicebus"),
		FirstRetry: 4 * time.Millisecond, LongestWait: 20 * time.Millisecond,
	}
}

// start runs a receiver until the test or the result ends it.
func start(t testing.TB, config servicebus.Config) (*servicebus.Receiver, func()) {
	t.Helper()
	receiver, err := servicebus.New(config)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- receiver.Run(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			assert.NoError(t, <-done)
		})
	}
	t.Cleanup(stop)
	return receiver, stop
}

// publish announces n instances.
func (r *rig) publish(t testing.TB, n int) []uuid.UUID {
	t.Helper()
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.New()
		r.publishBody(t, outbox.Subject, fmt.Appendf(nil, `{"appId":"ttd/demo-skjema","partyId":"50001337","instanceId":"%s",`+
			`"instanceCreatedAt":"2026-03-02T08:14:02.110412Z","isMigration":false,"eventType":2}`, ids[i]))
	}
	return ids
}

func (r *rig) publishBody(t testing.TB, subject string, body []byte) {
	t.Helper()
	require.NoError(t, r.queue.Publish(t.Context(), outbox.Message{
		Body: body, MessageID: uuid.NewString(), Subject: subject, ContentType: outbox.ContentType,
	}))
}

// eventually waits for a condition.
func eventually(t testing.TB, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, moment)
}

// settled tells that the bus is done with everything.
func (r *rig) settled() bool {
	c := r.queue.Counts()
	return c.Active+c.Locked == 0
}

// metric sums a counter's values by "outcome reason".
func (r *rig) metric(t testing.TB, name string) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, r.reader.Collect(t.Context(), &all))
	out := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum, ok := m.Data.(metricdata.Sum[int64])
			if m.Name != name || !ok {
				continue
			}
			for _, point := range sum.DataPoints {
				outcome, _ := point.Attributes.Value("outcome")
				reason, _ := point.Attributes.Value("reason")
				key := outcome.AsString()
				if reason.AsString() != "" {
					key += " " + reason.AsString()
				}
				out[key] += point.Value
			}
		}
	}
	return out
}
