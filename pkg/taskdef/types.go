package taskdef

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/internal/nearest"
)

// CheckTypes returns the fields whose JSON type is not the one that RegisterTaskDefinition takes, one text per field with its path. ECS
// answers a SerializationException to each of them ("NUMBER_VALUE can not be converted to a String"), without the path. The types are
// those of the SDK's own model. No value of a string is shown: it may be a password.
func (d Document) CheckTypes() []string {
	var w walk
	w.document(d)
	return w.wrong
}

// Unknown is a field that the API's model does not have.
type Unknown struct {
	Path string // such as containerDefinitions[0].enviroment
	Name string // the field's own name
	Near string // the known field of the same object that was likely meant; "" where none is near
	Typo bool   // Near differs so little that the field can only be a misspelling of it
}

// String says what is known of the field.
func (u Unknown) String() string {
	if u.Near == "" {
		return u.Path + " is not a field that this version knows"
	}
	return u.Path + " is not a field that this version knows: did you mean " + u.Near + "?"
}

// Unknown returns the fields that the SDK's model does not have, in the order of the document. ECS ignores what it does not know, so a
// misspelt field is lost without a word; a field that is newer than this build is not. Names that begin with $, _ or / are left out:
// they are remarks.
func (d Document) Unknown() []Unknown {
	var w walk
	w.document(d)
	return w.unknown
}

// walk goes through a document beside the types of the model.
type walk struct {
	wrong   []string
	unknown []Unknown
}

func (w *walk) document(d Document) {
	if d.IsZero() {
		return
	}
	w.value("", d.Registrable().root, reflect.TypeFor[ecs.RegisterTaskDefinitionInput]())
}

// value compares one value with its type of the model. null is absent for every type.
func (w *walk) value(path string, v *value, t reflect.Type) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if absent(v) {
		return
	}
	form, known := forms[t.Kind()]
	if !known {
		return
	}
	if v.kind != form.kind {
		w.wrong = append(w.wrong, fmt.Sprintf("%s is %s: it must be %s%s", path, kindOf(v), form.want, quotes(v, form.kind)))
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		w.members(path, v, t)
	case reflect.Slice:
		for i, item := range v.items {
			w.value(fmt.Sprintf("%s[%d]", path, i), item, t.Elem())
		}
	case reflect.Map:
		for _, m := range v.members {
			w.value(path+"."+m.name, m.value, t.Elem())
		}
	case reflect.Int32, reflect.Int64:
		w.number(path, v.text, t)
	}
}

func (w *walk) members(path string, v *value, t reflect.Type) {
	fields := fieldsOf(t)
	for _, m := range v.members {
		at := strings.TrimPrefix(path+"."+m.name, ".")
		if known, ok := fields.types[m.name]; ok {
			w.value(at, m.value, known)
			continue
		}
		if strings.HasPrefix(m.name, "$") || strings.HasPrefix(m.name, "_") || strings.HasPrefix(m.name, "/") {
			continue
		}
		w.unknown = append(w.unknown, Unknown{Path: at, Name: m.name, Near: nearest.One(m.name, fields.names),
			Typo: nearest.Typo(m.name, fields.names) != ""})
	}
}

// number compares a number with the integers of its type. 256.0 is one.
func (w *walk) number(path, text string, t reflect.Type) {
	plain := number(text)
	limit := big.NewInt(math.MaxInt64)
	if t.Kind() == reflect.Int32 {
		limit = big.NewInt(math.MaxInt32)
	}
	exact := new(big.Rat)
	absurd := strings.ContainsAny(plain, "eE") // number keeps such exponents as they are written
	if !absurd {
		exact.SetString(plain)
	}
	switch {
	case absurd, exact.IsInt() && new(big.Int).Abs(exact.Num()).Cmp(limit) > 0:
		w.wrong = append(w.wrong, fmt.Sprintf("%s is %s: it must be a whole number of at most %s", path, text, limit))
	case !exact.IsInt():
		w.wrong = append(w.wrong, fmt.Sprintf("%s is %s: it must be a whole number", path, text))
	}
}

// forms are the JSON types of the model's types.
var forms = map[reflect.Kind]struct {
	kind byte
	want string
}{
	reflect.String:  {'"', "a string"},
	reflect.Int32:   {'n', "a number"},
	reflect.Int64:   {'n', "a number"},
	reflect.Float64: {'n', "a number"},
	reflect.Bool:    {'l', "true or false"},
	reflect.Slice:   {'[', "a list"},
	reflect.Map:     {'{', "an object"},
	reflect.Struct:  {'{', "an object"},
}

// kindOf names the JSON type of a value.
func kindOf(v *value) string {
	switch v.kind {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 'n':
		return "a number"
	}
	return v.text
}

// quotes says what has to be done about the quotes, where they are all that is wrong.
func quotes(v *value, want byte) string {
	scalar := v.kind == 'n' || v.kind == 'l'
	switch {
	case want == '"' && scalar:
		return ", in quotes"
	case v.kind == '"' && (want == 'n' || want == 'l'):
		return ", without quotes"
	}
	return ""
}

// fields are those of an object of the model.
type fields struct {
	types map[string]reflect.Type
	names []string
}

var known sync.Map // of reflect.Type to fields

// fieldsOf reads the fields of a structure of the SDK. In JSON their names begin with a small letter; TestModelIsTheSDKs holds that this
// is all that differs.
func fieldsOf(t reflect.Type) fields {
	if there, ok := known.Load(t); ok {
		return there.(fields)
	}
	f := fields{types: map[string]reflect.Type{}}
	for i := range t.NumField() {
		field := t.Field(i)
		if !field.IsExported() {
			continue
		}
		name := strings.ToLower(field.Name[:1]) + field.Name[1:]
		f.types[name] = field.Type
		f.names = append(f.names, name)
	}
	slices.Sort(f.names)
	known.Store(t, f)
	return f
}

// dropped returns the fields of the document that the registered one does not have: what ECS did not take. What means the same as
// nothing (null, an empty list, object or string, 0 and false) is not missed.
func (d Document) dropped(registered Document) []Unknown {
	var lost []Unknown
	var fromModel = map[string]Unknown{}
	for _, u := range d.Unknown() {
		fromModel[u.Path] = u
	}
	var compare func(path string, sent, got *value)
	compare = func(path string, sent, got *value) {
		if len(sent.items) == len(got.items) {
			for i := range sent.items {
				compare(fmt.Sprintf("%s[%d]", path, i), sent.items[i], got.items[i])
			}
		}
		if got.kind != '{' {
			return
		}
		for _, m := range sent.members {
			at := strings.TrimPrefix(path+"."+m.name, ".")
			switch there := got.get(m.name); {
			case there != nil:
				compare(at, m.value, there)
			case !m.value.means():
			default:
				u, ok := fromModel[at]
				if !ok {
					u = Unknown{Path: at, Name: m.name}
				}
				lost = append(lost, u)
			}
		}
	}
	compare("", d.Registrable().root.without("tags"), registered.root)
	return lost
}

// means reports whether the value says anything.
func (v *value) means() bool {
	switch v.kind {
	case '{':
		return slices.ContainsFunc(v.members, func(m member) bool { return m.value.means() })
	case '[':
		return len(v.items) > 0
	case '"':
		return v.text != `""`
	case 'n':
		return number(v.text) != "0"
	}
	return v.text == "true"
}
