package transport

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/altinn/dialogsync/pkg/httpanswer"
)

// Exchange is one request with its answer, as measured.
type Exchange struct {
	// Service and Route are the labels of the metrics; Route has no ids in it.
	Service, Route, Method string
	// Load is what WithLoad said of it.
	Load Load
	// Status is the answer's, 0 when there was none; then Err says why.
	Status int
	Err    error
	// Attempts is how often the request was sent.
	Attempts int
	// Refused is the status of the last attempt that was answered with a plea for less (AsksForLess), 0 when none was;
	// RetryAfter is the wait that came with it.
	Refused    int
	RetryAfter time.Duration
	// Wire is the time until the headers of the last attempt's answer, without waits: how fast the service is.
	Wire time.Duration
	// Wait is the rest: rate, slots and the pauses between attempts.
	Wait time.Duration
}

// Instruments are the stack's metrics, shared by the stacks of all services.
type Instruments struct {
	requests metric.Int64Counter
	attempts metric.Int64Counter
	duration metric.Float64Histogram
	wait     metric.Float64Histogram
}

// NewInstruments registers the metrics with meter; nil measures nothing.
func NewInstruments(meter metric.Meter) (*Instruments, error) {
	if meter == nil {
		meter = noop.Meter{}
	}
	var i Instruments
	var err error
	if i.requests, err = meter.Int64Counter("dialogsync_http_requests",
		metric.WithDescription("Requests by service, route and status class.")); err != nil {
		return nil, fmt.Errorf("register request counter: %w", err)
	}
	if i.attempts, err = meter.Int64Counter("dialogsync_http_attempts",
		metric.WithDescription("Attempts, the first one of each request included.")); err != nil {
		return nil, fmt.Errorf("register attempt counter: %w", err)
	}
	buckets := metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .2, .3, .5, .75, 1, 2, 5, 10, 30, 100)
	if i.duration, err = meter.Float64Histogram("dialogsync_http_duration", metric.WithUnit("s"), buckets,
		metric.WithDescription("Time until an answer's headers, of the last attempt, without waits.")); err != nil {
		return nil, fmt.Errorf("register duration histogram: %w", err)
	}
	if i.wait, err = meter.Float64Histogram("dialogsync_http_wait", metric.WithUnit("s"), buckets,
		metric.WithDescription("Time spent waiting for rate, slots and retries.")); err != nil {
		return nil, fmt.Errorf("register wait histogram: %w", err)
	}
	return &i, nil
}

func (i *Instruments) record(ctx context.Context, e Exchange) {
	labels := []attribute.KeyValue{
		attribute.String("service", e.Service), attribute.String("method", e.Method), attribute.String("route", e.Route),
	}
	route := metric.WithAttributes(labels...)
	i.requests.Add(ctx, 1, metric.WithAttributes(append(labels, attribute.String("status", statusClass(e.Status)))...))
	i.attempts.Add(ctx, int64(e.Attempts), route)
	i.duration.Record(ctx, e.Wire.Seconds(), route)
	i.wait.Record(ctx, e.Wait.Seconds(), route)
}

// statusClass is "2xx" to "5xx", or "error" without an answer. 429 stands alone: it is the one to act on.
func statusClass(status int) string {
	switch {
	case status == http.StatusTooManyRequests:
		return "429"
	case status >= http.StatusContinue:
		return strconv.Itoa(status/100) + "xx"
	default:
		return "error"
	}
}

// measured counts and times requests. It stands above the layers that wait; the stopwatch at the bottom of the stack
// tells the service's time from theirs.
type measured struct {
	next        http.RoundTripper
	service     string
	instruments *Instruments
	observe     func(Exchange)
}

func (m measured) RoundTrip(r *http.Request) (*http.Response, error) {
	laps := &laps{}
	ctx := context.WithValue(r.Context(), lapsKey{}, laps)
	start := time.Now()
	response, err := m.next.RoundTrip(r.WithContext(ctx))
	wire := time.Duration(laps.last.Load())
	exchange := Exchange{
		Service: m.service, Route: RouteTemplate(r.URL.Path), Method: r.Method, Load: loadOf(r.Context()), Err: err,
		Attempts: int(laps.count.Load()), Wire: wire, Wait: max(time.Since(start)-wire, 0),
		Refused: int(laps.refused.Load()), RetryAfter: time.Duration(laps.retryAfter.Load()),
	}
	if response != nil {
		exchange.Status = response.StatusCode
	}
	if m.instruments != nil {
		m.instruments.record(r.Context(), exchange)
	}
	if m.observe != nil {
		m.observe(exchange)
	}
	return response, err
}

// laps is what the stopwatch saw of one request.
type laps struct {
	count atomic.Int64
	last  atomic.Int64 // nanoseconds
	// refused is the status of the last plea for less, retryAfter its wait in nanoseconds.
	refused, retryAfter atomic.Int64
}

type lapsKey struct{}

// stopwatch times each attempt.
type stopwatch struct{ next http.RoundTripper }

func (s stopwatch) RoundTrip(r *http.Request) (*http.Response, error) {
	laps, ok := r.Context().Value(lapsKey{}).(*laps)
	if !ok {
		return s.next.RoundTrip(r)
	}
	start := time.Now()
	response, err := s.next.RoundTrip(r)
	laps.count.Add(1)
	laps.last.Store(int64(time.Since(start)))
	if response != nil && AsksForLess(response.StatusCode) {
		laps.refused.Store(int64(response.StatusCode))
		laps.retryAfter.Store(int64(httpanswer.RetryAfter(response.Header, time.Now())))
	}
	return response, err
}

// AsksForLess tells whether a status is a service's plea for fewer requests.
func AsksForLess(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}
