package servicebus

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/altinn/dialogsync/internal/altinnsim/servicebus/amqp"
)

const (
	incomingWindow = 2048
	outgoingWindow = 5000
	handleMax      = 255
	creditForPeer  = 1000
	// pumpAtOnce is how many messages a link gets before others have their turn: competing receivers share.
	pumpAtOnce = 64
)

// Kinds of nodes.
const (
	nodeQueue = iota
	nodeCBS
	nodeManagement
)

const (
	cbsPath          = "$cbs"
	managementSuffix = "/$management"
)

// node is what a link leads to.
type node struct {
	kind  int
	path  string // what a claim must cover
	queue *Queue
}

// session is one session. Handles and channels have the number that the peer chose, in both directions.
type session struct {
	conn           *conn
	channel        uint16
	nextIncoming   uint32
	incoming       uint32 // transfers that the peer may still send
	nextOutgoing   uint32
	outgoing       uint32 // transfers that may still be sent to the peer
	nextDelivery   uint32
	links          map[uint32]*link
	unsettled      map[uint32]unsettled // deliveries to the peer, by id
	pending        []pendingTransfer    // that wait for the peer's window
	endSent, ended bool
}

// pendingTransfer is a frame on its way out.
type pendingTransfer struct {
	body    amqp.Transfer
	payload []byte
}

type unsettled struct {
	queue *Queue
	token uuid.UUID
}

// link is one end of a link.
type link struct {
	name     string
	handle   uint32
	node     node
	sending  bool // we send, the peer receives
	settled  bool // what we send counts as received
	target   string
	credit   uint32
	count    uint32 // delivery-count
	drain    bool
	detached bool
	stop     func() // listening to the queue
	notUntil time.Time
	replies  [][]byte // that wait for credit

	partial       []byte // of a message in several transfers
	partialID     uint32
	partialFormat uint32
	inProgress    bool
}

func newSession(c *conn, channel uint16, begin amqp.Begin) *session {
	s := &session{
		conn: c, channel: channel, nextIncoming: begin.NextOutgoingID, incoming: incomingWindow, outgoing: begin.IncomingWindow,
		links: map[uint32]*link{}, unsettled: map[uint32]unsettled{},
	}
	s.send(amqp.Begin{
		RemoteChannel: &channel, NextOutgoingID: 0, IncomingWindow: incomingWindow, OutgoingWindow: outgoingWindow, HandleMax: handleMax,
	})
	return s
}

func (s *session) send(body any) {
	if !s.endSent {
		s.conn.send(s.channel, body)
	}
}

// end lets go of the queues. What is locked stays so until its time is over, as on the real bus.
func (s *session) end() {
	for _, l := range s.links {
		l.release()
	}
	s.ended = true
}

func (l *link) release() {
	if l.stop != nil {
		l.stop()
		l.stop = nil
	}
}

// handle does what a frame of the session asks for.
func (s *session) handle(frame amqp.Frame) error {
	switch body := frame.Body.(type) {
	case amqp.End:
		s.end()
		s.send(amqp.End{})
		delete(s.conn.sessions, s.channel)
	case amqp.Attach:
		if body.Handle > handleMax || s.links[body.Handle] != nil {
			return s.conn.protocolError(conditionNotAllowed, "the handle is taken or beyond handle-max")
		}
		s.attach(body)
	case amqp.Flow:
		return s.flow(body)
	case amqp.Transfer:
		return s.transfer(body, frame.Payload)
	case amqp.Disposition:
		return s.disposition(body)
	case amqp.Detach:
		if l := s.links[body.Handle]; l != nil {
			l.release()
			if !l.detached {
				s.send(amqp.Detach{Handle: l.handle, Closed: body.Closed})
			}
			delete(s.links, body.Handle)
		}
	default:
		return s.conn.protocolError(conditionNotAllowed, fmt.Sprintf("a %T was not expected", frame.Body))
	}
	return nil
}

// detach ends a link from our side. The link is forgotten when the peer answers.
func (s *session) detach(l *link, why *amqp.Error) {
	l.release()
	l.detached = true
	s.send(amqp.Detach{Handle: l.handle, Closed: true, Error: why})
}

// attach makes a link, or answers with one that has no terminus and detaches it at once.
func (s *session) attach(a amqp.Attach) {
	l := &link{name: a.Name, handle: a.Handle, sending: a.Role == amqp.RoleReceiver, settled: a.SenderSettleMode == amqp.SenderSettled}
	address := ""
	if a.Target != nil {
		l.target, address = a.Target.Address, a.Target.Address
	}
	if l.sending && a.Source != nil {
		address = a.Source.Address
	}
	s.links[a.Handle] = l
	answer := amqp.Attach{
		Name: a.Name, Handle: a.Handle, Role: !a.Role, SenderSettleMode: a.SenderSettleMode, ReceiverSettling: a.ReceiverSettling,
		Source: a.Source, Target: a.Target,
	}
	var zero uint32
	if l.sending {
		answer.InitialDeliveryCount = &zero
	} else if a.InitialDeliveryCount != nil {
		l.count = *a.InitialDeliveryCount
	}
	why := s.conn.find(address, l)
	if why == nil && !l.sending && a.Target.Coordinator() {
		why = &amqp.Error{Condition: conditionUnsupported, Description: "There are no transactions here."}
	}
	if why != nil {
		if l.sending {
			answer.Source = nil
		} else {
			answer.Target = nil
		}
		s.send(answer)
		s.detach(l, why)
		return
	}
	answer.MaxMessageSize = DefaultMaxMessageSize
	if l.node.queue != nil {
		answer.MaxMessageSize = uint64(l.node.queue.options.MaxMessageSize) //nolint:gosec // New checks it
	}
	s.send(answer)
	switch {
	case !l.sending:
		s.grant(l)
	case l.node.kind == nodeQueue:
		l.stop = l.node.queue.listen(s.conn.stir)
	}
}

// find gives the link its node, or says why it cannot be had.
func (c *conn) find(address string, l *link) *amqp.Error {
	path := entityPath(address)
	l.node = node{kind: nodeQueue, path: path}
	if path == cbsPath {
		l.node.kind = nodeCBS
		return nil
	}
	entity, management := strings.CutSuffix(path, managementSuffix)
	if management {
		l.node.kind = nodeManagement
	}
	if !c.allowed(path, time.Now()) {
		return &amqp.Error{
			Condition:   conditionUnauthorized,
			Description: "Unauthorized access. 'Listen' or 'Send' claim(s) are required to perform this operation.",
		}
	}
	l.node.queue = c.broker.queues[entity]
	if l.node.queue == nil || c.broker.faults.strikes(EffectNotFound, entity) {
		return &amqp.Error{Condition: conditionNotFound, Description: "The messaging entity '" + entity + "' could not be found."}
	}
	return nil
}

// grant gives the peer's sender credit again.
func (s *session) grant(l *link) {
	l.credit = creditForPeer
	s.sendFlow(l, false)
}

// sendFlow tells the state of the session, and of a link when there is one.
func (s *session) sendFlow(l *link, drained bool) {
	nextIncoming := s.nextIncoming
	flow := amqp.Flow{
		NextIncomingID: &nextIncoming, IncomingWindow: s.incoming, NextOutgoingID: s.nextOutgoing, OutgoingWindow: outgoingWindow,
	}
	if l != nil {
		handle, count, credit := l.handle, l.count, l.credit
		flow.Handle, flow.DeliveryCount, flow.LinkCredit, flow.Drain = &handle, &count, &credit, drained
	}
	s.send(flow)
}

func (s *session) flow(f amqp.Flow) error {
	// What is on its way already counts against the window that the peer had when it wrote this.
	var begun uint32
	if f.NextIncomingID != nil {
		begun = *f.NextIncomingID
	}
	s.outgoing = begun + f.IncomingWindow - s.nextOutgoing
	s.sendPending()
	var l *link
	if f.Handle != nil {
		if l = s.links[*f.Handle]; l == nil {
			return s.conn.protocolError(conditionUnattached, "a flow for a handle without a link")
		}
	}
	if l != nil && l.sending && !l.detached {
		var count, credit uint32
		if f.DeliveryCount != nil {
			count = *f.DeliveryCount
		}
		if f.LinkCredit != nil {
			credit = *f.LinkCredit
		}
		l.credit, l.drain = count+credit-l.count, f.Drain
	}
	if f.Echo {
		s.sendFlow(l, false)
	}
	if l == nil { // the window may be what all links have waited for
		return s.conn.deliver()
	}
	return s.pump(l)
}

// transfer takes a message, or a part of one, from the peer.
func (s *session) transfer(t amqp.Transfer, payload []byte) error {
	l := s.links[t.Handle]
	if l == nil || l.sending {
		return s.conn.protocolError(conditionUnattached, "a transfer for a handle without a link")
	}
	s.nextIncoming++
	s.incoming--
	if s.incoming < incomingWindow/2 {
		s.incoming = incomingWindow
		s.sendFlow(nil, false)
	}
	if l.detached {
		return nil // it was sent before the peer knew
	}
	if !l.inProgress {
		if t.DeliveryID == nil {
			return s.conn.protocolError(conditionNotAllowed, "a transfer without a delivery id")
		}
		if l.credit == 0 {
			s.detach(l, &amqp.Error{Condition: conditionCredit, Description: "There is no credit."})
			return nil
		}
		l.inProgress, l.partial, l.partialID, l.partialFormat = true, nil, *t.DeliveryID, 0
		if t.MessageFormat != nil {
			l.partialFormat = *t.MessageFormat
		}
		l.credit--
		l.count++
	}
	l.partial = append(l.partial, payload...)
	if l.node.queue != nil && len(l.partial) > l.node.queue.options.MaxMessageSize {
		s.detach(l, &amqp.Error{Condition: conditionTooLarge, Description: errTooLarge.Error()})
		return nil
	}
	if t.More && !t.Aborted {
		return nil
	}
	l.inProgress = false
	if !t.Aborted {
		state, err := s.received(l)
		if err != nil {
			return err
		}
		if !t.Settled {
			s.send(amqp.Disposition{Role: amqp.RoleReceiver, First: l.partialID, Settled: true, State: state})
		}
	}
	l.partial = nil
	if l.credit < creditForPeer/2 {
		s.grant(l)
	}
	return nil
}

// received does with a whole message what its node does, and gives the state that the sender is told.
func (s *session) received(l *link) (any, error) {
	// batchFormat is that of a message whose data sections are messages.
	const batchFormat = 0x80013700
	message, err := amqp.ParseMessage(l.partial)
	if err != nil {
		return rejected(conditionDecode, err.Error()), nil
	}
	switch l.node.kind {
	case nodeCBS:
		return amqp.Accepted{}, s.reply(l, s.conn.putToken(message))
	case nodeManagement:
		return amqp.Accepted{}, s.reply(l, l.node.queue.manage(message))
	}
	if s.conn.broker.faults.strikes(EffectBusy, l.node.queue.options.Name) {
		return rejected(conditionBusy, "The server is busy. Wait ten seconds and try again."), nil
	}
	messages := []amqp.Message{message}
	if l.partialFormat == batchFormat {
		if messages, err = unbatch(message); err != nil {
			return rejected(conditionDecode, err.Error()), nil
		}
	}
	for _, m := range messages {
		if _, err := l.node.queue.enqueue(m, len(l.partial)); err != nil {
			return rejected(conditionTooLarge, err.Error()), nil
		}
	}
	return amqp.Accepted{}, nil
}

func unbatch(batch amqp.Message) ([]amqp.Message, error) {
	data, _, err := batch.Content()
	if err != nil {
		return nil, err
	}
	out := make([]amqp.Message, 0, len(data))
	for _, section := range data {
		m, err := amqp.ParseMessage(section)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func rejected(condition amqp.Symbol, description string) amqp.Rejected {
	return amqp.Rejected{Error: &amqp.Error{Condition: condition, Description: description}}
}

// reply sends an answer on the link that the request names.
func (s *session) reply(request *link, answer amqp.Message) error {
	for _, other := range s.conn.sessions {
		for _, l := range other.links {
			if l.sending && !l.detached && l.node.kind == request.node.kind && l.target == answer.Properties.To {
				l.replies = append(l.replies, answer.Append(nil))
				return other.pump(l)
			}
		}
	}
	return nil // nobody waits for it
}

// pump sends what there is to send on a link, as far as credit and windows reach.
func (s *session) pump(l *link) error {
	if !l.sending || l.detached || s.ended {
		return nil
	}
	for len(l.replies) > 0 && l.credit > 0 && len(s.pending) == 0 {
		s.deliver(l, s.tag(), l.replies[0], true)
		l.replies = l.replies[1:]
	}
	if l.node.kind == nodeQueue {
		if err := s.pumpQueue(l); err != nil {
			return err
		}
	}
	if l.drain && len(s.pending) == 0 {
		l.drain = false
		l.count += l.credit
		l.credit = 0
		s.sendFlow(l, true)
	}
	return nil
}

func (s *session) pumpQueue(l *link) error {
	q, faults := l.node.queue, s.conn.broker.faults
	n := int(min(l.credit, s.outgoing, pumpAtOnce))
	if n == 0 || len(s.pending) > 0 || time.Now().Before(l.notUntil) {
		return nil
	}
	deliveries, more := q.take(n, !l.settled)
	if len(deliveries) > 0 {
		name := q.options.Name
		switch {
		case faults.strikes(EffectCut, name):
			return errEnd
		case faults.strikes(EffectDetach, name):
			s.detach(l, &amqp.Error{Condition: conditionDetached, Description: "The link was detached by force. Reconnect."})
			return nil
		}
		if wait := faults.latency(name); wait > 0 {
			// What was taken goes out now; the next has to wait.
			l.notUntil = time.Now().Add(wait)
			time.AfterFunc(wait, s.conn.stir)
		}
	}
	for _, d := range deliveries {
		tag := swapped(d.token)
		if !l.settled {
			s.unsettled[s.nextDelivery] = unsettled{queue: q, token: d.token}
		}
		s.deliver(l, tag[:], d.payload, l.settled)
	}
	if more {
		s.conn.stir()
	}
	return nil
}

func (s *session) tag() []byte {
	s.conn.deliveries++
	return []byte(strconv.Itoa(s.conn.deliveries))
}

// deliver sends one message in as many transfers as it takes.
func (s *session) deliver(l *link, tag, payload []byte, settled bool) {
	const room = 128 // a transfer's own size at most
	var format uint32
	id := s.nextDelivery
	s.nextDelivery++
	l.credit--
	l.count++
	transfer := amqp.Transfer{Handle: l.handle, DeliveryID: &id, DeliveryTag: tag, MessageFormat: &format, Settled: settled}
	for {
		part := payload
		if limit := int(s.conn.peerFrame) - room; len(part) > limit {
			part = part[:limit]
		}
		payload = payload[len(part):]
		transfer.More = len(payload) > 0
		s.pending = append(s.pending, pendingTransfer{body: transfer, payload: part})
		if !transfer.More {
			break
		}
		transfer = amqp.Transfer{Handle: l.handle, Settled: settled}
	}
	s.sendPending()
}

// sendPending sends transfers as far as the peer's window reaches.
func (s *session) sendPending() {
	for len(s.pending) > 0 && s.outgoing > 0 {
		next := s.pending[0]
		s.pending = s.pending[1:]
		s.conn.out = amqp.AppendFrame(s.conn.out, amqp.Frame{Channel: s.channel, Body: next.body, Payload: next.payload})
		s.nextOutgoing++
		s.outgoing--
	}
}

// disposition is how the peer settles what it received. What it settled of what it sent itself needs no answer.
func (s *session) disposition(d amqp.Disposition) error {
	if d.Role == amqp.RoleSender {
		return nil
	}
	last := d.First
	if d.Last != nil {
		last = *d.Last
	}
	if last-d.First > outgoingWindow*2 {
		return s.conn.protocolError(conditionNotAllowed, "a disposition of more deliveries than there are")
	}
	for id := d.First; ; id++ {
		if u, found := s.unsettled[id]; found {
			if err := s.settle(id, u, d); err != nil {
				return err
			}
		}
		if id == last {
			return nil
		}
	}
}

func (s *session) settle(id uint32, u unsettled, d amqp.Disposition) error {
	outcome := d.State
	switch outcome.(type) {
	case amqp.Accepted, amqp.Rejected, amqp.Released, amqp.Modified:
	default:
		if !d.Settled {
			return nil // not terminal
		}
		outcome = amqp.Accepted{} // settled without a word
	}
	faults, name := s.conn.broker.faults, u.queue.options.Name
	if faults.strikes(EffectCutBeforeSettling, name) {
		return errEnd
	}
	delete(s.unsettled, id)
	err := u.queue.settle(u.token, outcome)
	if faults.strikes(EffectCutAfterSettling, name) {
		return errEnd
	}
	if d.Settled {
		return nil // the peer waits for no answer, and hears of no failure
	}
	if errors.Is(err, errLockLost) {
		outcome = rejected(conditionLockLost, err.Error())
	}
	if _, isRejected := d.State.(amqp.Rejected); isRejected && err == nil {
		outcome = amqp.Rejected{} // agreed; an error here would tell of a failure
	}
	s.send(amqp.Disposition{Role: amqp.RoleSender, First: id, Settled: true, State: outcome})
	return nil
}
