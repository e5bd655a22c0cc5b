package request

import "encoding/json"

// Problem is the body of an error as RFC 9457 describes it.
type Problem struct {
	// Type is a URI that names the kind of problem; "about:blank" if the status says it all.
	Type     string
	Title    string
	Status   int
	Detail   string
	Instance string
	// Extensions holds all other members.
	Extensions map[string]json.RawMessage
}

// Problem returns the body of the error if it is application/problem+json, and nil otherwise. Members of the wrong type
// are left out, as RFC 9457, section 3.1 asks for.
func (e *ResponseError) Problem() *Problem {
	media, _ := parseType(typeOf(e.Header))
	var members map[string]json.RawMessage
	if media != "application/problem+json" || decodeJSON(trimBOM(e.Body), &members) != nil || members == nil {
		return nil
	}
	p := &Problem{Type: "about:blank"}
	for name, target := range map[string]any{
		"type": &p.Type, "title": &p.Title, "status": &p.Status, "detail": &p.Detail, "instance": &p.Instance,
	} {
		if raw, ok := members[name]; ok {
			_ = json.Unmarshal(raw, target)
			delete(members, name)
		}
	}
	p.Extensions = members
	return p
}
