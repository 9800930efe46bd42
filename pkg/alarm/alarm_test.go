package alarm

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// answers gives one after the other, and keeps what was asked. Its calls come one by one.
type answers struct {
	texts []string
	asked []url.Values
}

func (a *answers) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	a.asked = append(a.asked, form)
	text := a.texts[len(a.asked)-1]
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text))}, nil
}

func configOf(a *answers) aws.Config {
	return aws.Config{Region: "us-west-2", HTTPClient: a, Credentials: aws.CredentialsProviderFunc(
		func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		})}
}

// TestPrefixed reads metric and composite alarms of all pages, with what they say of themselves.
func TestPrefixed(t *testing.T) {
	a := &answers{texts: []string{`<DescribeAlarmsResponse><DescribeAlarmsResult><NextToken>more</NextToken><MetricAlarms><member>
		<AlarmName>a</AlarmName><AlarmDescription>too many 5xx</AlarmDescription><StateValue>ALARM</StateValue>
		<StateReason>2 datapoints</StateReason><StateUpdatedTimestamp>2026-03-01T02:03:04.5Z</StateUpdatedTimestamp>
		</member></MetricAlarms></DescribeAlarmsResult></DescribeAlarmsResponse>`,
		`<DescribeAlarmsResponse><DescribeAlarmsResult><CompositeAlarms><member><AlarmName>b</AlarmName><StateValue>OK</StateValue>
		<StateUpdatedTimestamp>yesterday</StateUpdatedTimestamp></member></CompositeAlarms></DescribeAlarmsResult></DescribeAlarmsResponse>`}}
	got, err := Prefixed(t.Context(), configOf(a), "x-")
	want := []Alarm{{Name: "a", State: Fired, Reason: "2 datapoints", Description: "too many 5xx",
		Since: time.Date(2026, 3, 1, 2, 3, 4, 5e8, time.UTC)}, {Name: "b", State: OK}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if len(a.asked) != 2 {
		t.Fatalf("asked %v", a.asked)
	}
	first, second := a.asked[0], a.asked[1]
	if first.Get("AlarmNamePrefix") != "x-" || first.Has("NextToken") || second.Get("NextToken") != "more" ||
		first.Get("AlarmTypes.member.1") != "MetricAlarm" || first.Get("AlarmTypes.member.2") != "CompositeAlarm" {
		t.Errorf("asked %v", a.asked)
	}
}

// TestNamed asks for at most 100 names at once, as CloudWatch takes them, and for none where none are named.
func TestNamed(t *testing.T) {
	const nothing = `<DescribeAlarmsResponse><DescribeAlarmsResult/></DescribeAlarmsResponse>`
	var names []string
	for i := range 201 {
		names = append(names, fmt.Sprint("n", i))
	}
	for count, calls := range map[int]int{0: 0, 1: 1, 100: 1, 101: 2, 201: 3} {
		a := &answers{texts: []string{nothing, nothing, nothing}}
		if _, err := Named(t.Context(), configOf(a), names[:count]); err != nil || len(a.asked) != calls {
			t.Errorf("%d names: %d calls, %v", count, len(a.asked), err)
		}
		asked := map[string]bool{}
		for _, form := range a.asked {
			for key := range form {
				if strings.HasPrefix(key, "AlarmNames.member.") {
					asked[form.Get(key)] = true
				}
			}
		}
		if len(asked) != count {
			t.Errorf("%d names: %d asked for", count, len(asked))
		}
	}
}
