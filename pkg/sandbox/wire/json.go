package wire

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// Operation is one API operation. Its result is written as the protocol wants: any value that encoding/json (or
// encoding/xml for query services) can marshal, json.RawMessage as it stands, nil for an empty answer.
type Operation func(*Request) (any, error)

// JSONService is a service of the AWS JSON 1.0 or 1.1 protocol; the version in an answer's content type is the one of
// the request.
type JSONService struct {
	Name         string // IAM prefix, "ecs"
	TargetPrefix string // what precedes the dot in X-Amz-Target, "AmazonEC2ContainerServiceV20141113"
	MessageKey   string // member that holds an error's message; "" means "message"
	Operations   map[string]Operation
}

func (s *JSONService) writeResult(w http.ResponseWriter, hr *http.Request, result any) error {
	body, err := encodeJSON(result)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", jsonContentType(hr))
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(body)
	return err
}

func (s *JSONService) writeError(w http.ResponseWriter, hr *http.Request, e *Error) {
	body := map[string]any{"__type": e.Code}
	key := s.MessageKey
	if key == "" {
		key = "message"
	}
	if e.Message != "" { // SSM's ParameterNotFound has none
		body[key] = e.Message
	}
	for name, value := range e.Fields {
		body[name] = value
	}
	encoded, err := encodeJSON(body)
	if err != nil {
		encoded = []byte(`{"__type":"InternalFailure"}`)
	}
	w.Header().Set("Content-Type", jsonContentType(hr))
	w.WriteHeader(e.HTTPStatus())
	_, _ = w.Write(encoded) // a client that has gone needs no answer
}

func encodeJSON(v any) ([]byte, error) {
	if v == nil {
		return []byte("{}"), nil
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buffer.Bytes(), "\n"), nil
}

func jsonContentType(hr *http.Request) string {
	if strings.HasPrefix(hr.Header.Get("Content-Type"), "application/x-amz-json-1.0") {
		return "application/x-amz-json-1.0"
	}
	return "application/x-amz-json-1.1"
}
