package render

import (
	"reflect"

	"github.com/org/connect2/v2/pkg/record"
)

// redacted returns a copy of a record without secrets in any of its texts.
func redacted(r *record.Record, secrets *Secrets) *record.Record {
	return mapStrings(reflect.ValueOf(r), secrets.Redact).Interface().(*record.Record)
}

// redactedEvent returns a copy of an event without secrets in any of its texts.
func redactedEvent(e record.Event, secrets *Secrets) record.Event {
	return mapStrings(reflect.ValueOf(e), secrets.Redact).Interface().(record.Event)
}

// mapStrings returns a deep copy of v in which each string is what change makes of it. Structs whose fields cannot be set, such as times,
// are copied as they are.
func mapStrings(v reflect.Value, change func(string) string) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		out.SetString(change(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(mapStrings(v.Elem(), change))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(mapStrings(v.Index(i), change))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(mapStrings(v.Field(i), change))
			}
		}
	}
	return out
}
