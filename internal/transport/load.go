package transport

import "context"

// Load says what a request asks of a service beyond what its route tells, so that like is compared with like.
type Load struct {
	// Kind tells requests of one route apart; empty where there is one kind.
	Kind string
	// Items is how many items the service works through, one after the other; 0 is one.
	Items int
	// Untimed: how long it takes says nothing of how well the service is, as with a large file.
	Untimed bool
}

type loadKey struct{}

// WithLoad describes the requests made with the context it returns.
func WithLoad(ctx context.Context, load Load) context.Context {
	return context.WithValue(ctx, loadKey{}, load)
}

func loadOf(ctx context.Context) Load {
	load, _ := ctx.Value(loadKey{}).(Load)
	return load
}
