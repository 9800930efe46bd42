package ssm

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Sessions runs the sessions that the API starts.
type Sessions interface {
	// Start begins a session and returns its id and token; address is HOST:PORT for one that forwards, properties what its agent tells.
	Start(shell, address string, properties any) (id, token string)
	Resume(id string) (token string, ok bool)
	Terminate(id string)
	URL(host, id string) string
}

// Instances are what agents run on.
type Instances interface {
	IDs() []string
	ARN(id string) string
	Ping(id string, now time.Time) string // Online, ConnectionLost; empty: there is no agent
}

// Documents that sessions are started with, and the parameters that each needs.
var documents = map[string][]string{
	"SSM-SessionManagerRunShell":                 nil,
	"AWS-StartInteractiveCommand":                {"command"},
	"AWS-StartPortForwardingSession":             {"portNumber"},
	"AWS-StartPortForwardingSessionToRemoteHost": {"host", "portNumber"},
}

func (s *Service) startSession(r *wire.Request) (any, error) {
	var in struct {
		Target, DocumentName, Reason string
		Parameters                   map[string][]string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	document := cmp.Or(in.DocumentName, "SSM-SessionManagerRunShell")
	ids := []string{}
	if s.options.Instances != nil {
		ids = s.options.Instances.IDs()
		if err := r.Authorize("ssm:StartSession", s.options.Instances.ARN(in.Target)); err != nil {
			return nil, err
		}
	}
	owner := s.options.Account
	if in.DocumentName != "" {
		owner = "" // AWS's own documents have no account
	}
	if err := r.Authorize("ssm:StartSession", fmt.Sprintf("arn:aws:ssm:%s:%s:document/%s", s.options.Region, owner, document)); err != nil {
		return nil, err
	}
	needed, known := documents[document]
	switch {
	case !known:
		return nil, wire.Errorf("InvalidDocument", "Document with name %s does not exist.", document)
	case !slices.Contains(ids, in.Target) || s.options.Instances.Ping(in.Target, r.Now) != "Online":
		return nil, wire.Errorf("TargetNotConnected", "%s is not connected.", in.Target)
	}
	one := func(name string) string {
		if values := in.Parameters[name]; len(values) == 1 {
			return values[0]
		}
		return ""
	}
	for _, name := range needed {
		if one(name) == "" {
			return nil, wire.Errorf("ValidationException", "Parameter %s is not given, or not with one value.", name) // unconfirmed
		}
	}
	port := one("portNumber")
	if n, err := strconv.Atoi(port); port != "" && (err != nil || n < 1 || n > 65535) {
		return nil, wire.Errorf("ValidationException", "Parameter portNumber has the value %q, which is not a port.", port) // unconfirmed
	}
	if s.options.Sessions == nil {
		return nil, wire.NotModelled("sessions of ssm:StartSession, unless it is told to: --sessions process")
	}
	address, properties := "", map[string]string{}
	if port != "" {
		host := cmp.Or(one("host"), "localhost")
		address = host + ":" + port
		properties = map[string]string{"portNumber": port, "localPortNumber": cmp.Or(one("localPortNumber"), "0"), "type": "LocalPortForwarding"}
		if one("host") != "" {
			properties["host"] = host
		}
	}
	id, token := s.options.Sessions.Start(one("command"), address, properties)
	return map[string]any{"SessionId": id, "TokenValue": token, "StreamUrl": s.options.Sessions.URL(r.Host, id)}, nil
}

// session reads the id of a session that the caller may do something with.
func (s *Service) session(r *wire.Request) (string, error) {
	var in struct{ SessionId string }
	if err := r.Decode(&in); err != nil {
		return "", err
	}
	return in.SessionId, r.Authorize("ssm:"+r.Action, fmt.Sprintf("arn:aws:ssm:%s:%s:session/%s", s.options.Region, s.options.Account,
		in.SessionId))
}

// resumeSession gives no token for a session that has ended, as the service does.
func (s *Service) resumeSession(r *wire.Request) (any, error) {
	id, err := s.session(r)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"SessionId": id}
	if s.options.Sessions != nil {
		if token, ok := s.options.Sessions.Resume(id); ok {
			out["TokenValue"], out["StreamUrl"] = token, s.options.Sessions.URL(r.Host, id)
		}
	}
	return out, nil
}

func (s *Service) terminateSession(r *wire.Request) (any, error) {
	id, err := s.session(r)
	if err != nil {
		return nil, err
	}
	if s.options.Sessions != nil {
		s.options.Sessions.Terminate(id)
	}
	return map[string]any{"SessionId": id}, nil
}

func (s *Service) describeInstanceInformation(r *wire.Request) (any, error) {
	var in struct {
		Filters []struct {
			Key    string
			Values []string
		}
		InstanceInformationFilterList []any
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("ssm:DescribeInstanceInformation", "*"); err != nil {
		return nil, err
	}
	if len(in.InstanceInformationFilterList) > 0 {
		return nil, wire.NotModelled("InstanceInformationFilterList of ssm:DescribeInstanceInformation: use Filters")
	}
	list := []any{}
	if s.options.Instances == nil {
		return map[string]any{"InstanceInformationList": list}, nil
	}
	for _, id := range s.options.Instances.IDs() {
		ping := s.options.Instances.Ping(id, r.Now)
		wanted := ping != ""
		for _, f := range in.Filters {
			switch f.Key {
			case "InstanceIds":
				wanted = wanted && slices.Contains(f.Values, id)
			case "PingStatus":
				wanted = wanted && slices.Contains(f.Values, ping)
			default:
				return nil, wire.NotModelled("the filter %s of ssm:DescribeInstanceInformation", f.Key)
			}
		}
		if wanted {
			list = append(list, map[string]any{
				"InstanceId": id, "PingStatus": ping, "LastPingDateTime": wire.Time(r.Now), "AgentVersion": agentVersion, "IsLatestVersion": true,
				"PlatformType": "Linux", "PlatformName": "Amazon Linux", "PlatformVersion": "2023", "ResourceType": "EC2Instance",
			})
		}
	}
	return map[string]any{"InstanceInformationList": list}, nil
}

// agentVersion is what the instances' agents say they are.
const agentVersion = "3.3.1611.0"
