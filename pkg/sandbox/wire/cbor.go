package wire

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/aws/smithy-go/encoding/cbor"
)

// Requests of Smithy's RPC v2 in CBOR (https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html) are answered by the JSON
// service of the same name: its documents are the same, but for how a point in time is written.

// cborTarget returns the service and operation that a request in CBOR names in its path.
func cborTarget(hr *http.Request) (service, operation string, ok bool) {
	if hr.Header.Get("Smithy-Protocol") != "rpc-v2-cbor" {
		return "", "", false
	}
	parts := strings.Split(strings.Trim(hr.URL.Path, "/"), "/")
	if len(parts) < 4 || parts[len(parts)-4] != "service" || parts[len(parts)-2] != "operation" {
		return "", "", false
	}
	return parts[len(parts)-3], parts[len(parts)-1], true
}

// jsonOfCBOR writes a request's body as JSON.
func jsonOfCBOR(body []byte) ([]byte, error) {
	if len(body) == 0 {
		return nil, nil
	}
	v, err := cbor.Decode(body)
	if err != nil {
		return nil, Errorf("SerializationException", "the body is not CBOR: %v", err)
	}
	return json.Marshal(plain(v))
}

func plain(v cbor.Value) any {
	switch v := v.(type) {
	case cbor.Map:
		out := map[string]any{}
		for name, member := range v {
			out[name] = plain(member)
		}
		return out
	case cbor.List:
		out := []any{}
		for _, item := range v {
			out = append(out, plain(item))
		}
		return out
	case *cbor.Tag:
		return plain(v.Value)
	case cbor.NegInt:
		return -int64(v) // cbor.NegInt holds the absolute value
	case cbor.Uint:
		return uint64(v)
	case cbor.String:
		return string(v)
	case cbor.Bool:
		return bool(v)
	case cbor.Float32:
		return float64(v)
	case cbor.Float64:
		return float64(v)
	}
	return nil
}

// writeCBOR writes an answer, which is JSON, in CBOR.
func writeCBOR(w http.ResponseWriter, status int, document []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/cbor")
	w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	w.WriteHeader(status)
	_, err := w.Write(cbor.Encode(encoded("", v)))
	return err
}

// encoded makes CBOR of what encoding/json has read. What a member's name calls a time becomes one.
func encoded(name string, v any) cbor.Value {
	switch v := v.(type) {
	case map[string]any:
		out := cbor.Map{}
		for member, value := range v {
			out[member] = encoded(member, value)
		}
		return out
	case []any:
		out := cbor.List{}
		for _, item := range v {
			out = append(out, encoded(name, item))
		}
		return out
	case json.Number:
		f, _ := v.Float64() // JSON's own numbers
		if strings.HasSuffix(name, "Timestamp") || strings.HasSuffix(name, "Timestamps") {
			return &cbor.Tag{ID: 1, Value: cbor.Float64(f)}
		}
		if n, err := v.Int64(); err == nil && n >= 0 && name != "Values" {
			return cbor.Uint(n)
		}
		return cbor.Float64(f)
	case string:
		return cbor.String(v)
	case bool:
		return cbor.Bool(v)
	}
	return &cbor.Nil{}
}
