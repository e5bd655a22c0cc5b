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
	p := new(Problem)
	if media != "application/problem+json" || decodeJSON(trimBOM(e.Body), p) != nil || p.Extensions == nil {
		return nil
	}
	return p
}

// UnmarshalJSON implements [json.Unmarshaler], in the way of [ResponseError.Problem].
func (p *Problem) UnmarshalJSON(data []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		return err
	}
	*p = Problem{Type: "about:blank"}
	for name, target := range map[string]any{
		"type": &p.Type, "title": &p.Title, "status": &p.Status, "detail": &p.Detail, "instance": &p.Instance,
	} {
		if raw, ok := members[name]; ok {
			_ = json.Unmarshal(raw, target)
			delete(members, name)
		}
	}
	p.Extensions = members
	return nil
}
