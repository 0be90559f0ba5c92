package amqp

import "fmt"

// composite is a list with a descriptor and named fields.
type composite interface {
	descriptor() uint64
	fields() []any
}

// Descriptors.
const (
	describesOpen        = 0x10
	describesBegin       = 0x11
	describesAttach      = 0x12
	describesFlow        = 0x13
	describesTransfer    = 0x14
	describesDisposition = 0x15
	describesDetach      = 0x16
	describesEnd         = 0x17
	describesClose       = 0x18
	describesError       = 0x1d
	describesReceived    = 0x23
	describesAccepted    = 0x24
	describesRejected    = 0x25
	describesReleased    = 0x26
	describesModified    = 0x27
	describesSource      = 0x28
	describesTarget      = 0x29
	describesMechanisms  = 0x40
	describesInit        = 0x41
	describesOutcome     = 0x44
)

// names are the descriptors' other form.
func byName(name Symbol) uint64 {
	return map[Symbol]uint64{
		"amqp:open:list": describesOpen, "amqp:begin:list": describesBegin, "amqp:attach:list": describesAttach,
		"amqp:flow:list": describesFlow, "amqp:transfer:list": describesTransfer, "amqp:disposition:list": describesDisposition,
		"amqp:detach:list": describesDetach, "amqp:end:list": describesEnd, "amqp:close:list": describesClose,
		"amqp:error:list": describesError, "amqp:received:list": describesReceived, "amqp:accepted:list": describesAccepted,
		"amqp:rejected:list": describesRejected, "amqp:released:list": describesReleased, "amqp:modified:list": describesModified,
		"amqp:source:list": describesSource, "amqp:target:list": describesTarget,
		"amqp:sasl-mechanisms:list": describesMechanisms, "amqp:sasl-init:list": describesInit, "amqp:sasl-outcome:list": describesOutcome,
		"amqp:header:list": sectionHeader, "amqp:delivery-annotations:map": sectionDeliveryAnnotations,
		"amqp:message-annotations:map": sectionAnnotations, "amqp:properties:list": sectionProperties,
		"amqp:application-properties:map": sectionApplicationProperties, "amqp:data:binary": sectionData,
		"amqp:amqp-sequence:list": sectionSequence, "amqp:amqp-value:*": sectionValue, "amqp:footer:map": sectionFooter,
	}[name]
}

// Settlement modes of the sender and of the receiver of a link.
const (
	SenderUnsettled uint8 = 0
	SenderSettled   uint8 = 1
	SenderMixed     uint8 = 2
	ReceiverFirst   uint8 = 0
	ReceiverSecond  uint8 = 1
)

// Roles of a link's ends, as attach and disposition have them.
const (
	RoleSender   = false
	RoleReceiver = true
)

// Performatives, terminal states and parts of them. Pointers are nil where a field is absent.
type (
	// Open begins a connection. IdleTimeout is in milliseconds; 0: none.
	Open struct {
		ContainerID, Hostname string
		MaxFrameSize          uint32
		ChannelMax            uint16
		IdleTimeout           uint32
		Properties            Map
	}
	// Begin begins a session.
	Begin struct {
		RemoteChannel                                             *uint16
		NextOutgoingID, IncomingWindow, OutgoingWindow, HandleMax uint32
	}
	// Attach makes a link. Source and Target are handed back as they came.
	Attach struct {
		Name                               string
		Handle                             uint32
		Role                               bool
		SenderSettleMode, ReceiverSettling uint8
		Source, Target                     *Terminus
		InitialDeliveryCount               *uint32
		MaxMessageSize                     uint64
		Properties                         Map
	}
	// Flow is credit, of a session or of a link.
	Flow struct {
		NextIncomingID                                 *uint32
		IncomingWindow, NextOutgoingID, OutgoingWindow uint32
		Handle, DeliveryCount, LinkCredit, Available   *uint32
		Drain, Echo                                    bool
	}
	// Transfer is a message or a part of one.
	Transfer struct {
		Handle        uint32
		DeliveryID    *uint32
		DeliveryTag   []byte
		MessageFormat *uint32
		Settled, More bool
		Aborted       bool
	}
	// Disposition tells what became of deliveries.
	Disposition struct {
		Role    bool
		First   uint32
		Last    *uint32
		Settled bool
		State   any
	}
	// Detach ends a link.
	Detach struct {
		Handle uint32
		Closed bool
		Error  *Error
	}
	// End ends a session.
	End struct{ Error *Error }
	// Close ends a connection.
	Close struct{ Error *Error }
	// Error is a condition and its explanation.
	Error struct {
		Condition   Symbol
		Description string
		Info        Map
	}
	// Terminus is a source or a target.
	Terminus struct {
		Address string
		raw     Described
	}
	// Mechanisms are the kinds of authentication that are offered.
	Mechanisms struct{ Names []Symbol }
	// Init chooses one of them.
	Init struct {
		Mechanism Symbol
		Response  []byte
	}
	// Outcome ends the authentication: 0 is success, 1 refusal.
	Outcome struct{ Code uint8 }
	// Accepted settles a delivery as done.
	Accepted struct{}
	// Rejected settles a delivery as impossible.
	Rejected struct{ Error *Error }
	// Released gives a delivery back untouched.
	Released struct{}
	// Modified gives a delivery back, changed.
	Modified struct {
		DeliveryFailed, UndeliverableHere bool
		Annotations                       Map
	}
	// Received is not terminal.
	Received struct{}
)

// Coordinator tells that a target is a transaction coordinator.
func (t *Terminus) Coordinator() bool {
	const describesCoordinator = 0x30
	return t != nil && (t.raw.Descriptor == uint64(describesCoordinator) || t.raw.Descriptor == Symbol("amqp:coordinator:list"))
}

func (Open) descriptor() uint64        { return describesOpen }
func (Begin) descriptor() uint64       { return describesBegin }
func (Attach) descriptor() uint64      { return describesAttach }
func (Flow) descriptor() uint64        { return describesFlow }
func (Transfer) descriptor() uint64    { return describesTransfer }
func (Disposition) descriptor() uint64 { return describesDisposition }
func (Detach) descriptor() uint64      { return describesDetach }
func (End) descriptor() uint64         { return describesEnd }
func (Close) descriptor() uint64       { return describesClose }
func (Error) descriptor() uint64       { return describesError }
func (Mechanisms) descriptor() uint64  { return describesMechanisms }
func (Init) descriptor() uint64        { return describesInit }
func (Outcome) descriptor() uint64     { return describesOutcome }
func (Accepted) descriptor() uint64    { return describesAccepted }
func (Rejected) descriptor() uint64    { return describesRejected }
func (Released) descriptor() uint64    { return describesReleased }
func (Modified) descriptor() uint64    { return describesModified }
func (Received) descriptor() uint64    { return describesReceived }

func (o Open) fields() []any {
	return []any{
		o.ContainerID, text(o.Hostname), o.MaxFrameSize, o.ChannelMax, number(o.IdleTimeout), nil, nil, nil, nil,
		pairs(o.Properties),
	}
}

func (b Begin) fields() []any {
	return []any{value(b.RemoteChannel), b.NextOutgoingID, b.IncomingWindow, b.OutgoingWindow, b.HandleMax}
}

func (a Attach) fields() []any {
	return []any{
		a.Name, a.Handle, a.Role, a.SenderSettleMode, a.ReceiverSettling, a.Source.value(), a.Target.value(), nil, nil,
		value(a.InitialDeliveryCount), a.MaxMessageSize, nil, nil, pairs(a.Properties),
	}
}

func (f Flow) fields() []any {
	return []any{
		value(f.NextIncomingID), f.IncomingWindow, f.NextOutgoingID, f.OutgoingWindow, value(f.Handle), value(f.DeliveryCount),
		value(f.LinkCredit), value(f.Available), f.Drain, f.Echo,
	}
}

func (t Transfer) fields() []any {
	var tag any
	if t.DeliveryTag != nil {
		tag = t.DeliveryTag
	}
	return []any{
		t.Handle, value(t.DeliveryID), tag, value(t.MessageFormat), t.Settled, t.More, nil, nil, nil, t.Aborted,
	}
}

func (d Disposition) fields() []any {
	return []any{d.Role, d.First, value(d.Last), d.Settled, d.State}
}
func (d Detach) fields() []any   { return []any{d.Handle, d.Closed, fault(d.Error)} }
func (e End) fields() []any      { return []any{fault(e.Error)} }
func (c Close) fields() []any    { return []any{fault(c.Error)} }
func (e Error) fields() []any    { return []any{e.Condition, text(e.Description), pairs(e.Info)} }
func (o Outcome) fields() []any  { return []any{o.Code} }
func (Accepted) fields() []any   { return nil }
func (r Rejected) fields() []any { return []any{fault(r.Error)} }
func (Released) fields() []any   { return nil }
func (m Modified) fields() []any {
	return []any{m.DeliveryFailed, m.UndeliverableHere, pairs(m.Annotations)}
}
func (Received) fields() []any     { return []any{uint32(0), uint64(0)} }
func (i Init) fields() []any       { return []any{i.Mechanism, i.Response} }
func (m Mechanisms) fields() []any { return []any{symbols(m.Names)} }

func symbols(names []Symbol) Array {
	out := make(Array, 0, len(names))
	for _, name := range names {
		out = append(out, name)
	}
	return out
}

func (t *Terminus) value() any {
	if t == nil {
		return nil
	}
	return t.raw
}

func fault(e *Error) any {
	if e == nil {
		return nil
	}
	return *e
}

func value[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func number(n uint32) any {
	if n == 0 {
		return nil
	}
	return n
}

func pairs(m Map) any {
	if len(m) == 0 {
		return nil
	}
	return m
}

// appendComposite leaves absent fields at the end out.
func appendComposite(dst []byte, c composite) []byte {
	fields := c.fields()
	for len(fields) > 0 && fields[len(fields)-1] == nil {
		fields = fields[:len(fields)-1]
	}
	dst = append(dst, codeDescribed)
	dst = Append(dst, c.descriptor())
	return Append(dst, List(fields))
}

// reader takes fields out of a list and remembers the first that has the wrong type.
type reader struct {
	list List
	err  error
}

func (r *reader) at(i int) any {
	if i >= len(r.list) {
		return nil
	}
	return r.list[i]
}

// field is a field, or byDefault when it is absent.
func field[T any](r *reader, i int, byDefault T) T {
	switch v := r.at(i).(type) {
	case nil:
	case T:
		return v
	default:
		r.fail(i, v)
	}
	return byDefault
}

func optional[T any](r *reader, i int) *T {
	if r.at(i) == nil {
		return nil
	}
	var zero T
	v := field(r, i, zero)
	return &v
}

func mandatory[T any](r *reader, i int) T {
	if r.at(i) == nil && r.err == nil {
		r.err = malformed("field %d is missing", i)
	}
	var zero T
	return field(r, i, zero)
}

func (r *reader) fail(i int, v any) {
	if r.err == nil {
		r.err = malformed("field %d is a %T", i, v)
	}
}

func (r *reader) terminus(i int) *Terminus {
	described, ok := r.at(i).(Described)
	if !ok {
		if v := r.at(i); v != nil {
			r.fail(i, v)
		}
		return nil
	}
	t := &Terminus{raw: described}
	if list, ok := described.Value.(List); ok && len(list) > 0 {
		t.Address, _ = list[0].(string) // a node without an address is dynamic or a coordinator
	}
	return t
}

func (r *reader) fault(i int) *Error {
	v := r.at(i)
	if v == nil {
		return nil
	}
	e, ok := v.(Error)
	if !ok {
		r.fail(i, v)
	}
	return &e
}

// number is the descriptor in its short form; 0 when it is not a standard one.
func (d Described) number() uint64 {
	switch v := d.Descriptor.(type) {
	case uint64:
		return v
	case Symbol:
		return byName(v)
	}
	return 0
}

// interpret turns a described list into what it stands for, and what it holds too. What is not known stays as it is.
func interpret(v any) (any, error) {
	described, ok := v.(Described)
	if !ok {
		return v, nil
	}
	list, ok := described.Value.(List)
	if !ok {
		return v, nil
	}
	n := described.number()
	if n == describesSource || n == describesTarget {
		return v, nil
	}
	r := &reader{list: make(List, 0, len(list))}
	for _, item := range list {
		inner, err := interpret(item)
		if err != nil {
			return nil, err
		}
		r.list = append(r.list, inner)
	}
	out := r.composite(n)
	if r.err != nil {
		return nil, fmt.Errorf("%T: %w", out, r.err)
	}
	if out == nil {
		return v, nil
	}
	return out, nil
}

func (r *reader) composite(descriptor uint64) any {
	const unlimited = 1<<32 - 1
	switch descriptor {
	case describesOpen:
		return Open{
			ContainerID: mandatory[string](r, 0), Hostname: field(r, 1, ""), MaxFrameSize: field(r, 2, uint32(unlimited)),
			ChannelMax: field(r, 3, uint16(1<<16-1)), IdleTimeout: field(r, 4, uint32(0)), Properties: field(r, 9, Map(nil)),
		}
	case describesBegin:
		return Begin{
			RemoteChannel: optional[uint16](r, 0), NextOutgoingID: mandatory[uint32](r, 1), IncomingWindow: mandatory[uint32](r, 2),
			OutgoingWindow: mandatory[uint32](r, 3), HandleMax: field(r, 4, uint32(unlimited)),
		}
	case describesAttach:
		return Attach{
			Name: mandatory[string](r, 0), Handle: mandatory[uint32](r, 1), Role: mandatory[bool](r, 2),
			SenderSettleMode: field(r, 3, SenderMixed), ReceiverSettling: field(r, 4, ReceiverFirst),
			Source: r.terminus(5), Target: r.terminus(6), InitialDeliveryCount: optional[uint32](r, 9),
			MaxMessageSize: field(r, 10, uint64(0)), Properties: field(r, 13, Map(nil)),
		}
	case describesFlow:
		return Flow{
			NextIncomingID: optional[uint32](r, 0), IncomingWindow: mandatory[uint32](r, 1), NextOutgoingID: mandatory[uint32](r, 2),
			OutgoingWindow: mandatory[uint32](r, 3), Handle: optional[uint32](r, 4), DeliveryCount: optional[uint32](r, 5),
			LinkCredit: optional[uint32](r, 6), Available: optional[uint32](r, 7), Drain: field(r, 8, false), Echo: field(r, 9, false),
		}
	case describesTransfer:
		return Transfer{
			Handle: mandatory[uint32](r, 0), DeliveryID: optional[uint32](r, 1), DeliveryTag: field(r, 2, []byte(nil)),
			MessageFormat: optional[uint32](r, 3), Settled: field(r, 4, false), More: field(r, 5, false), Aborted: field(r, 9, false),
		}
	case describesDisposition:
		return Disposition{
			Role: mandatory[bool](r, 0), First: mandatory[uint32](r, 1), Last: optional[uint32](r, 2), Settled: field(r, 3, false), State: r.at(4),
		}
	case describesDetach:
		return Detach{Handle: mandatory[uint32](r, 0), Closed: field(r, 1, false), Error: r.fault(2)}
	case describesEnd:
		return End{Error: r.fault(0)}
	case describesClose:
		return Close{Error: r.fault(0)}
	}
	return r.part(descriptor)
}

// part is what stands inside of performatives, and what SASL has.
func (r *reader) part(descriptor uint64) any {
	switch descriptor {
	case describesError:
		return Error{Condition: mandatory[Symbol](r, 0), Description: field(r, 1, ""), Info: field(r, 2, Map(nil))}
	case describesAccepted:
		return Accepted{}
	case describesReceived:
		return Received{}
	case describesRejected:
		return Rejected{Error: r.fault(0)}
	case describesReleased:
		return Released{}
	case describesModified:
		return Modified{DeliveryFailed: field(r, 0, false), UndeliverableHere: field(r, 1, false), Annotations: field(r, 2, Map(nil))}
	case describesMechanisms:
		var names []Symbol
		switch v := r.at(0).(type) {
		case Symbol:
			names = []Symbol{v}
		case Array:
			for _, item := range v {
				name, _ := item.(Symbol) // an array's elements have one type; other names are nobody's
				names = append(names, name)
			}
		}
		return Mechanisms{Names: names}
	case describesInit:
		return Init{Mechanism: mandatory[Symbol](r, 0), Response: field(r, 1, []byte(nil))}
	case describesOutcome:
		return Outcome{Code: mandatory[uint8](r, 0)}
	}
	return nil
}
