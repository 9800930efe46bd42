package session

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

// known is a message as AWS's own client writes it (SerializeClientMessage of github.com/aws/session-manager-plugin).
func known() Message {
	return Message{
		Type: InputStream, Schema: 1, Created: time.UnixMilli(1503434274948), Sequence: 2, Flags: 2, Kind: Output,
		ID:      UUID{0xdd, 0x01, 0xe5, 0x6b, 0xff, 0x48, 0x48, 0x3e, 0xa5, 0x08, 0xb5, 0xf0, 0x73, 0xf3, 0x1b, 0x16},
		Payload: []byte("payload"),
	}
}

const knownBytes = "00000074" + // the header's length
	"696e7075745f73747265616d5f64617461" + "202020202020202020202020202020" + // input_stream_data
	"00000001" + "0000015e0baa7884" + "0000000000000002" + "0000000000000002" +
	"a508b5f073f31b16" + "dd01e56bff48483e" + // the id's halves the other way round
	"239f59ed55e737c77147cf55ad0c1b030b6d7ee748a7426952f9b852d5a935e5" + // SHA-256 of payload
	"00000001" + "00000007" + "7061796c6f6164"

func TestMessageHasAWSForm(t *testing.T) {
	m := known()
	if got := hex.EncodeToString(m.Append(nil)); got != knownBytes {
		t.Errorf("written\n%s, want\n%s", got, knownBytes)
	}
	data, _ := hex.DecodeString(knownBytes)
	got, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if got.Type != m.Type || got.Schema != m.Schema || !got.Created.Equal(m.Created) || got.Sequence != m.Sequence || got.Flags != m.Flags ||
		got.ID != m.ID || got.Kind != m.Kind || !bytes.Equal(got.Payload, m.Payload) {
		t.Errorf("read %+v, want %+v", got, m)
	}
	if want := "dd01e56b-ff48-483e-a508-b5f073f31b16"; m.ID.String() != want {
		t.Errorf("id %s, want %s", m.ID, want)
	}
}

func TestParseRefuses(t *testing.T) {
	data, _ := hex.DecodeString(knownBytes)
	change := func(at int, value byte) []byte {
		out := bytes.Clone(data)
		out[at] = value
		return out
	}
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":                      {nil, "shorter than a header"},
		"a header alone":               {data[:atPayload-1], "shorter than a header"},
		"a header that is too long":    {change(1, 0xff), "says that its header has"},
		"a header that is too short":   {change(3, 0x10), "says that its header has"},
		"no type":                      {append(append(bytes.Clone(data[:4]), bytes.Repeat([]byte{0}, 32)...), data[36:]...), "without a type"},
		"a payload that is cut":        {data[:len(data)-1], "says that its payload has 7 bytes, and it has 6"},
		"a payload that is not its":    {change(len(data)-1, 'x'), "digest"},
		"a length beyond what follows": {change(atLength, 0x7f), "says that its payload has"},
	} {
		if _, err := Parse(test.data); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	longer := change(3, 0x78) // a header with four bytes more, as a later version may have it
	longer = append(append(append([]byte{}, longer[:atLength]...), 0, 0, 0, 0), longer[atLength:]...)
	if m, err := Parse(longer); err != nil || string(m.Payload) != "payload" {
		t.Errorf("a longer header: %q, %v", m.Payload, err)
	}
}

func FuzzParse(f *testing.F) {
	data, _ := hex.DecodeString(knownBytes)
	f.Add(data)
	f.Add(data[:atPayload])
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data)
		if err == nil && m.Type == InputStream && len(m.Payload) > len(data) {
			t.Error("more payload than data")
		}
	})
}

func TestAtLeast(t *testing.T) {
	for _, test := range []struct {
		version, wanted string
		want            bool
	}{
		{"3.1.1374.0", "3.1.1374.0", true}, {"3.1.1373.9", "3.1.1374.0", false}, {"3.10.0.0", "3.1.1374.0", true},
		{"4.0.0.0", "3.1.1374.0", true}, {"2.9.9999.0", "3.1.1374.0", false}, {"3.1", "3.1.1374.0", false}, {"", "3.1.1374.0", false},
		{"3.1.x.0", "3.1.1374.0", false},
	} {
		if got := atLeast(test.version, test.wanted); got != test.want {
			t.Errorf("atLeast(%q, %q) = %v", test.version, test.wanted, got)
		}
	}
}
