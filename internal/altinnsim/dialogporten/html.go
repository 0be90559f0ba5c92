package dialogporten

import "strings"

const (
	htmlTags  = " p a br em strong ul ol li table thead tbody tr td th "
	htmlFault = "Value contains unsupported HTML. The following tags are supported: " +
		"[<p>,<a>,<br>,<em>,<strong>,<ul>,<ol>,<li>,<table>,<thead>,<tbody>,<tr>,<td>,<th>]. Tag attributes are not supported " +
		"except for on '<a>' which must contain a 'href' starting with 'https://'."
)

// validHTML is whether a text holds only the allowed tags, without attributes but for a's href (Chapter 7, Content).
func validHTML(text string) bool {
	for {
		open := strings.IndexByte(text, '<')
		if open < 0 {
			return true
		}
		text = text[open+1:]
		if after, ok := strings.CutPrefix(text, "!--"); ok {
			_, text, _ = strings.Cut(after, "-->")
			continue
		}
		if text == "" || !tagBegins(text[0]) {
			continue
		}
		closing := strings.IndexByte(text, '>')
		if closing < 0 {
			closing = len(text)
		}
		if !validTag(text[:closing]) {
			return false
		}
		text = text[min(closing+1, len(text)):]
	}
}

func tagBegins(c byte) bool {
	return c == '/' || c == '!' || c == '?' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func validTag(tag string) bool {
	if name, ok := strings.CutPrefix(tag, "/"); ok {
		return allowedTag(strings.TrimSpace(name))
	}
	tag = strings.TrimSpace(strings.TrimSuffix(tag, "/"))
	end := strings.IndexAny(tag, " \t\r\n/")
	if end < 0 {
		end = len(tag)
	}
	name, attributes := tag[:end], strings.TrimSpace(tag[end:])
	if !allowedTag(name) {
		return false
	}
	if strings.EqualFold(name, "a") {
		return soleAddress(attributes)
	}
	return attributes == ""
}

func allowedTag(name string) bool {
	return name != "" && strings.Contains(htmlTags, " "+strings.ToLower(name)+" ")
}

// soleAddress is whether the only attribute is a href that begins with https://.
func soleAddress(attributes string) bool {
	name, value, ok := strings.Cut(attributes, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(name), "href") {
		return false
	}
	value = strings.TrimSpace(value)
	if value == "" {
		return false
	}
	if quote := value[0]; quote == '"' || quote == '\'' {
		end := strings.IndexByte(value[1:], quote)
		if end < 0 || strings.TrimSpace(value[end+2:]) != "" {
			return false
		}
		value = value[1 : end+1]
	} else if strings.ContainsAny(value, " \t\r\n") {
		return false
	}
	const https = "https://"
	return len(value) >= len(https) && strings.EqualFold(value[:len(https)], https)
}
