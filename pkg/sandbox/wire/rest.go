package wire

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
)

// RESTService is a service of the REST protocol: an operation is a method and a path. Answers are JSON, or XML of a namespace.
type RESTService struct {
	Name      string // IAM prefix, and the service of the signature: "scheduler"
	Namespace string // of XML answers; "" for JSON
	Routes    []Route
}

// Route is one operation and how it is addressed. A segment of the path in braces is a parameter: /schedules/{Name}.
type Route struct {
	Method, Path, Action string
	Do                   Operation
}

// find returns the operation of a request, with the parameters of its path and its query.
func (s *RESTService) find(hr *http.Request) (action string, do Operation, parameters url.Values) {
	segments := strings.Split(strings.Trim(hr.URL.EscapedPath(), "/"), "/")
	for _, route := range s.Routes {
		if route.Method != hr.Method {
			continue
		}
		if parameters, ok := route.match(segments); ok {
			for name, values := range hr.URL.Query() {
				parameters[name] = values
			}
			return route.Action, route.Do, parameters
		}
	}
	return hr.Method + " " + hr.URL.Path, nil, nil
}

func (r Route) match(segments []string) (url.Values, bool) {
	pattern := strings.Split(strings.Trim(r.Path, "/"), "/")
	if len(pattern) != len(segments) {
		return nil, false
	}
	parameters := url.Values{}
	for i, part := range pattern {
		name, isParameter := strings.CutPrefix(part, "{")
		if !isParameter {
			if part != segments[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(segments[i])
		if err != nil || value == "" {
			return nil, false
		}
		parameters.Set(strings.TrimSuffix(name, "}"), value)
	}
	return parameters, true
}

func (s *RESTService) writeResult(w http.ResponseWriter, action string, result any) error {
	if s.Namespace != "" {
		return s.writeXML(w, action, result)
	}
	body, err := encodeJSON(result)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(body)
	return err
}

// writeXML writes an answer as REST-XML has it: in an element that is named by the action.
func (s *RESTService) writeXML(w http.ResponseWriter, action string, result any) error {
	var body bytes.Buffer
	body.WriteString(xml.Header)
	start := xml.StartElement{Name: xml.Name{Local: action + "Response"},
		Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: s.Namespace}}}
	if err := xml.NewEncoder(&body).EncodeElement(result, start); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(body.Bytes())
	return err
}

// dialect is how the service words refusals: those of XML as the query protocol.
func (s *RESTService) dialect() *dialect {
	if s.Namespace != "" {
		return &queryDialect
	}
	return &restDialect
}

func (s *RESTService) writeError(w http.ResponseWriter, requestID string, e *Error) {
	if s.Namespace != "" { // its envelope is that of the query protocol
		(&QueryService{Namespace: s.Namespace}).writeError(w, requestID, e)
		return
	}
	encoded, err := encodeJSON(map[string]any{"Message": e.Message})
	if err != nil {
		encoded = []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("x-amzn-ErrorType", e.Code)
	w.WriteHeader(e.HTTPStatus())
	_, _ = w.Write(encoded) // a client that has gone needs no answer
}

// restDialect is that of EventBridge Scheduler, whose API reference gives the statuses ("Common Errors", and the errors of each call).
var restDialect = dialect{
	denied:       Error{Code: "AccessDeniedException", Status: 403},
	throttled:    Error{Code: "ThrottlingException", Message: "Rate exceeded", Status: 429},
	unknownToken: Error{Code: "UnrecognizedClientException", Message: "The security token included in the request is invalid.", Status: 403},
	expiredToken: Error{Code: "ExpiredTokenException", Message: "The security token included in the request is expired", Status: 403},
	missingToken: Error{Code: "MissingAuthenticationTokenException", Message: "Missing Authentication Token", Status: 403},
	unavailable:  Error{Code: "InternalServerException", Message: "Service is unavailable", Status: 500},
}
