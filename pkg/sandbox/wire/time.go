package wire

import (
	"bytes"
	"encoding/xml"
	"math"
	"strconv"
	"time"
)

// Time is a point in time as the protocols write it: epoch seconds with a fraction of milliseconds in JSON,
// "2026-01-02T03:04:05.000Z" in XML. Its zero value is left out under `json:",omitzero"`.
type Time time.Time

// IsZero says whether there is no time to write.
func (t Time) IsZero() bool { return time.Time(t).IsZero() }

// MarshalJSON writes epoch seconds; AWS's JSON services send milliseconds as a fraction.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(time.Time(t).UnixMilli())/1000, 'f', -1, 64), nil
}

// UnmarshalJSON reads epoch seconds as a number, which is what clients send.
func (t *Time) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	seconds, err := strconv.ParseFloat(string(data), 64)
	if err != nil {
		return err
	}
	*t = Time(time.UnixMilli(int64(math.Round(seconds * 1000))).UTC())
	return nil
}

// MarshalXML writes the ISO 8601 form of the query protocol, or nothing for the zero time.
func (t Time) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if t.IsZero() {
		return nil
	}
	return e.EncodeElement(time.Time(t).UTC().Format("2006-01-02T15:04:05.000Z"), start)
}
