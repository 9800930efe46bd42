package action

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type sending struct {
	connection
	Source   string        `input:"source" required:"true" doc:"What to send."`
	Tags     []string      `input:"tags" alias:"tag"`
	Force    bool          `input:"force" default:"false"`
	Timeout  time.Duration `input:"timeout" default:"1m"`
	IfAbsent string        `input:"if-absent" default:"fail"`
}

type receiving struct {
	connection
	Force   bool          `input:"force" default:"false"`
	Timeout time.Duration `input:"timeout" default:"2m"`

	Later bool // no input
}

type whole struct {
	connection
	Source  string    `input:"source" doc:"What to send, or nothing."`
	Send    sending   `part:"true" rename:"timeout=send-timeout" takes:"force"`
	Both    bool      `input:"both"`
	Receive receiving `part:"true"`
}

func (whole) Excluded() map[string]string { return map[string]string{"Send.if-absent": "it is sent"} }

func TestInputsOfParts(t *testing.T) {
	fields := fieldsOf(reflect.TypeFor[whole](), "input")
	var names []string
	for _, f := range fields {
		names = append(names, f.Name)
		if f.Name == "source" && (f.Required || f.Doc != "What to send, or nothing.") {
			t.Errorf("the whole's own declaration does not hold: %+v", f)
		}
	}
	want := []string{"region", "source", "tags", "send-timeout", "both", "force", "timeout"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	var in whole
	given := fromFlags(fields, []string{"--region=r", "--source=s", "--tag=a", "--tag=b", "--send-timeout=3m", "--both", "--force"}, nil)
	if problems := given.decodeInto(reflect.ValueOf(&in).Elem(), fields); len(problems) > 0 {
		t.Fatal(problems)
	}
	in.Receive.Later = true
	before := in
	Share(&in)
	at := connection{Region: "r"}
	wantIn := whole{
		connection: at, Source: "s", Both: true,
		Send:    sending{connection: at, Source: "s", Tags: []string{"a", "b"}, Force: true, Timeout: 3 * time.Minute},
		Receive: receiving{connection: at, Force: true, Timeout: 2 * time.Minute, Later: true},
	}
	if !reflect.DeepEqual(in, wantIn) {
		t.Errorf("shared: %+v\nwant    %+v", in, wantIn)
	}
	if before.Send.Source != "" || before.Receive.Region != "" {
		t.Errorf("the parts have what is shared before Share: %+v", before)
	}
}

type excludesNothing struct {
	Send sending `part:"true"`
}

func (excludesNothing) Excluded() map[string]string {
	return map[string]string{"Send.sauce": "it is spicy"}
}

type excludesSilently struct {
	Send sending `part:"true"`
}

func (excludesSilently) Excluded() map[string]string { return map[string]string{"Send.force": ""} }

func TestWrongPartsPanic(t *testing.T) {
	for want, typ := range map[string]reflect.Type{
		"the name region is taken": reflect.TypeFor[struct {
			Send    sending   `part:"true" rename:"timeout=send-timeout" takes:"force"`
			Receive receiving `part:"true"`
		}](),
		"want NAME=NEW-NAME": reflect.TypeFor[struct {
			Send sending `part:"true" rename:"tmeout=send-timeout"`
		}](),
		`takes "frce", which it does not have`: reflect.TypeFor[struct {
			Send sending `part:"true" takes:"frce"`
		}](),
		"no part has an input force": reflect.TypeFor[struct {
			Send sending `part:"true" takes:"force"`
		}](),
		"the input force is a string, and a bool in Send.force": reflect.TypeFor[struct {
			Force string  `input:"force"`
			Send  sending `part:"true"`
		}](),
		"want an exported field": reflect.TypeFor[struct {
			Send *sending `part:"true"`
		}](),
		"excludes Send.sauce, which no part has": reflect.TypeFor[excludesNothing](),
		"excludes Send.force without a reason":   reflect.TypeFor[excludesSilently](),
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if told, _ := recover().(string); !strings.Contains(told, want) {
					t.Errorf("panic with %q", told)
				}
			}()
			fieldsOf(typ, "input")
		})
	}
}
