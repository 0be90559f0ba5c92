package amqp

import "time"

// Sections of a message.
const (
	sectionHeader                = 0x70
	sectionDeliveryAnnotations   = 0x71
	sectionAnnotations           = 0x72
	sectionProperties            = 0x73
	sectionApplicationProperties = 0x74
	sectionData                  = 0x75
	sectionSequence              = 0x76
	sectionValue                 = 0x77
	sectionFooter                = 0x78
)

// Message is a message by its sections. Its zero value is empty.
type Message struct {
	Header              Header
	DeliveryAnnotations Map
	Annotations         Map
	Properties          Properties
	Application         Map
	// Body are the body's sections and the footer as they came: a broker does not touch them.
	Body []byte
}

// Header is what brokers may change. DeliveryCount counts earlier, failed deliveries.
type Header struct {
	Durable       bool
	Priority      uint8
	TTL           *uint32 // milliseconds
	DeliveryCount uint32
}

// Properties are the immutable ones. Ids may be string, uint64, UUID or binary; nil is absent.
type Properties struct {
	MessageID       any
	UserID          []byte
	To              string
	Subject         string
	ReplyTo         string
	CorrelationID   any
	ContentType     string
	ContentEncoding string
	Expires         *time.Time
	Created         *time.Time
	GroupID         string
	GroupSequence   *uint32
	ReplyToGroupID  string
}

// ParseMessage reads a message.
func ParseMessage(in []byte) (Message, error) {
	var m Message
	for len(in) > 0 {
		v, rest, err := Decode(in)
		if err != nil {
			return m, err
		}
		described, ok := v.(Described)
		if !ok {
			return m, malformed("a section without a descriptor")
		}
		if err := m.section(described, in[:len(in)-len(rest)]); err != nil {
			return m, err
		}
		in = rest
	}
	return m, nil
}

func (m *Message) section(section Described, raw []byte) error {
	const defaultPriority = 4
	r := &reader{list: List{section.Value}}
	switch section.number() {
	case sectionHeader:
		r.list, _ = section.Value.(List) // nil reads as empty
		m.Header = Header{
			Durable: field(r, 0, false), Priority: field(r, 1, uint8(defaultPriority)), TTL: optional[uint32](r, 2),
			DeliveryCount: field(r, 4, uint32(0)),
		}
	case sectionDeliveryAnnotations:
		m.DeliveryAnnotations = field(r, 0, Map(nil))
	case sectionAnnotations:
		m.Annotations = field(r, 0, Map(nil))
	case sectionProperties:
		r.list, _ = section.Value.(List)
		m.Properties = r.properties()
	case sectionApplicationProperties:
		m.Application = field(r, 0, Map(nil))
	case sectionData, sectionSequence, sectionValue, sectionFooter:
		m.Body = append(m.Body, raw...)
	default:
		return malformed("section %v", section.Descriptor)
	}
	return r.err
}

func (r *reader) properties() Properties {
	return Properties{
		MessageID: r.at(0), UserID: field(r, 1, []byte(nil)), To: field(r, 2, ""), Subject: field(r, 3, ""), ReplyTo: field(r, 4, ""),
		CorrelationID: r.at(5), ContentType: string(field(r, 6, Symbol(""))), ContentEncoding: string(field(r, 7, Symbol(""))),
		Expires: optional[time.Time](r, 8), Created: optional[time.Time](r, 9), GroupID: field(r, 10, ""),
		GroupSequence: optional[uint32](r, 11), ReplyToGroupID: field(r, 12, ""),
	}
}

func (p Properties) list() List {
	var user any
	if p.UserID != nil {
		user = p.UserID
	}
	fields := List{
		p.MessageID, user, text(p.To), text(p.Subject), text(p.ReplyTo), p.CorrelationID, name(p.ContentType), name(p.ContentEncoding),
		value(p.Expires), value(p.Created), text(p.GroupID), value(p.GroupSequence), text(p.ReplyToGroupID),
	}
	for len(fields) > 0 && fields[len(fields)-1] == nil {
		fields = fields[:len(fields)-1]
	}
	return fields
}

func name(s string) any {
	if s == "" {
		return nil
	}
	return Symbol(s)
}

// Append writes the message. Header is always there, as the real bus has it.
func (m *Message) Append(dst []byte) []byte {
	section := func(descriptor uint64, v any) {
		dst = Append(dst, Described{Descriptor: descriptor, Value: v})
	}
	section(sectionHeader, List{m.Header.Durable, m.Header.Priority, value(m.Header.TTL), nil, m.Header.DeliveryCount})
	if len(m.DeliveryAnnotations) > 0 {
		section(sectionDeliveryAnnotations, m.DeliveryAnnotations)
	}
	if len(m.Annotations) > 0 {
		section(sectionAnnotations, m.Annotations)
	}
	if fields := m.Properties.list(); len(fields) > 0 {
		section(sectionProperties, fields)
	}
	if len(m.Application) > 0 {
		section(sectionApplicationProperties, m.Application)
	}
	return append(dst, m.Body...)
}

// Data is a body of one data section.
func Data(content []byte) []byte {
	return Append(nil, Described{Descriptor: uint64(sectionData), Value: content})
}

// Value is a body of one value.
func Value(v any) []byte {
	return Append(nil, Described{Descriptor: uint64(sectionValue), Value: v})
}

// Content gives the data sections and the value of the body.
func (m *Message) Content() (data [][]byte, value any, err error) {
	for in := m.Body; len(in) > 0; {
		v, rest, err := Decode(in)
		if err != nil {
			return nil, nil, err
		}
		in = rest
		described, _ := v.(Described) // a body is made of sections: ParseMessage saw to it
		switch described.number() {
		case sectionData:
			content, _ := described.Value.([]byte) // nothing else is data
			data = append(data, content)
		case sectionValue:
			value = described.Value
		}
	}
	return data, value, nil
}
