package history

import (
	"sync"

	"golang.org/x/time/rate"
)

// pace holds a backfill's rate in one process. The rate is for all workers, so each process takes the share of it that its
// windows have among all windows held. Turns come and go; the limiter stays, or each new turn's first item would be free.
type pace struct {
	limiter *rate.Limiter

	mu   sync.Mutex
	mine int64
}

func newPace() *pace { return &pace{limiter: rate.NewLimiter(rate.Inf, 1)} }

// join counts a turn in; until its first heartbeat tells, this process is taken to hold all windows.
func (p *pace) join(perSecond *float64) {
	p.mu.Lock()
	p.mine++
	p.mu.Unlock()
	if p.limiter.Limit() == rate.Inf || perSecond == nil {
		p.adjust(perSecond, 0)
	}
}

func (p *pace) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mine--
}

// adjust sets this process's share of the rate; held is how many windows are held in all.
func (p *pace) adjust(perSecond *float64, held int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if perSecond == nil {
		p.limiter.SetLimit(rate.Inf)
		return
	}
	p.limiter.SetLimit(rate.Limit(*perSecond * float64(p.mine) / float64(max(held, p.mine, 1))))
}
