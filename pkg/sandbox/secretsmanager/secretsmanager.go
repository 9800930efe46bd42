// Package secretsmanager is the sandbox's Secrets Manager: secrets with versions and staging labels.
//
// Sources: Secrets Manager API reference, and answers recorded from the service. Rotation, replication, resource policies
// and encryption are not modelled.
package secretsmanager

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/sandbox/wire"
)

// Options of the service. All are required.
type Options struct {
	Account, Region string
	NewID           func() string // version ids, UUIDs
	Suffix          func() string // six characters that end an ARN
}

// Service holds the secrets of one account and region. The world's lock guards it.
type Service struct {
	options Options
	secrets map[string]*secret // by name
}

type secret struct {
	name, arn, description, kmsKey string
	createdAt, changedAt           time.Time
	deletedAt                      time.Time // end of the recovery window; zero while in use
	tags                           []tag
	versions                       []*version // oldest first
}

type version struct {
	id        string
	text      *string
	binary    []byte
	createdAt time.Time
	stages    []string
}

type tag struct{ Key, Value string }

// Staging labels that the service moves by itself.
const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
)

// New makes a service without secrets.
func New(options Options) *Service { return &Service{options: options, secrets: map[string]*secret{}} }

// API is the service's table of operations. Its errors carry "Message", with a capital.
func (s *Service) API() *wire.JSONService {
	return &wire.JSONService{Name: "secretsmanager", TargetPrefix: "secretsmanager", MessageKey: "Message",
		Operations: map[string]wire.Operation{
			"CreateSecret":   s.createSecret,
			"DescribeSecret": s.describeSecret,
			"GetSecretValue": s.getSecretValue,
			"PutSecretValue": s.putSecretValue,
			"ListSecrets":    s.listSecrets,
			"DeleteSecret":   s.deleteSecret,
			"RestoreSecret":  s.restoreSecret,
		}}
}

// Add creates a secret with a text value, and returns its ARN. An existing one of that name is replaced.
func (s *Service) Add(name, text string, now time.Time) string {
	sec := &secret{name: name, arn: s.arn(name) + "-" + s.options.Suffix(), createdAt: now}
	sec.put(&version{id: s.options.NewID(), text: &text, createdAt: now})
	s.secrets[name] = sec
	return sec.arn
}

// ARN returns the full ARN of a secret by name; "" where there is none.
func (s *Service) ARN(name string) string {
	if sec := s.secrets[name]; sec != nil {
		return sec.arn
	}
	return ""
}

// Value reads a secret as GetSecretValue does: id is a name, an ARN, or an ARN without its suffix.
func (s *Service) Value(id, stage, versionID string) (string, error) {
	sec, err := s.find(id)
	if err != nil {
		return "", err
	}
	v, err := sec.version(versionID, stage)
	if err != nil {
		return "", err
	}
	if v.text == nil {
		return "", wire.Errorf("InvalidRequestException", "The secret value is binary") // ECS reads text alone
	}
	return *v.text, nil
}

// put adds a version as the current one.
func (sec *secret) put(v *version, stages ...string) {
	if len(stages) == 0 {
		stages = []string{current}
	}
	for _, stage := range stages {
		for _, other := range sec.versions {
			if !slices.Contains(other.stages, stage) {
				continue
			}
			other.stages = slices.DeleteFunc(other.stages, func(have string) bool { return have == stage })
			if stage == current {
				for _, third := range sec.versions {
					third.stages = slices.DeleteFunc(third.stages, func(have string) bool { return have == previous })
				}
				other.stages = append(other.stages, previous)
			}
		}
	}
	v.stages = stages
	sec.versions = append(sec.versions, v)
	sec.changedAt = v.createdAt
}

func (sec *secret) version(id, stage string) (*version, error) {
	if id == "" {
		stage = cmp.Or(stage, current)
	}
	for _, v := range sec.versions {
		if (id == "" || v.id == id) && (stage == "" || slices.Contains(v.stages, stage)) {
			return v, nil
		}
	}
	if id != "" {
		return nil, notFound("Secrets Manager can't find the specified secret value for VersionId: %s", id)
	}
	return nil, notFound("Secrets Manager can't find the specified secret value for staging label: %s", stage)
}

func notFound(format string, args ...any) *wire.Error {
	return wire.Errorf("ResourceNotFoundException", format, args...)
}

func (s *Service) arn(name string) string {
	return fmt.Sprintf("arn:aws:secretsmanager:%s:%s:secret:%s", s.options.Region, s.options.Account, name)
}

// find takes the name, the full ARN, or the ARN without the suffix.
func (s *Service) find(id string) (*secret, error) {
	for _, sec := range s.secrets {
		if id == sec.name || id == sec.arn || id == s.arn(sec.name) {
			return sec, nil
		}
	}
	return nil, notFound("Secrets Manager can't find the specified secret.")
}

// on authorises an action on a secret and returns it. A denial names the ARN where there is one.
func (s *Service) on(r *wire.Request, id string) (*secret, error) {
	if id == "" {
		return nil, wire.Errorf("ValidationException",
			"1 validation error detected: Value null at 'secretId' failed to satisfy constraint: Member must not be null")
	}
	sec, err := s.find(id)
	resource := id
	switch {
	case sec != nil:
		resource = sec.arn
	case !strings.HasPrefix(id, "arn:"):
		resource = s.arn(id)
	}
	if denied := r.Authorize("secretsmanager:"+r.Action, resource); denied != nil {
		return nil, denied
	}
	return sec, err
}

// inUse refuses what cannot be done with a secret that is scheduled for deletion.
func (sec *secret) inUse() error {
	if !sec.deletedAt.IsZero() {
		return wire.Errorf("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
	}
	return nil
}

func (s *Service) createSecret(r *wire.Request) (any, error) {
	var in struct {
		Name, Description, KmsKeyID, ClientRequestToken string
		SecretString                                    *string
		SecretBinary                                    []byte
		Tags                                            []tag
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if !regexp.MustCompile(`^[A-Za-z0-9/_+=.@!-]{1,512}$`).MatchString(in.Name) {
		return nil, wire.Errorf("ValidationException",
			"Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	}
	if err := r.Authorize("secretsmanager:CreateSecret", s.arn(in.Name)); err != nil {
		return nil, err
	}
	if len(in.Tags) > 0 {
		if err := r.Authorize("secretsmanager:TagResource", s.arn(in.Name)); err != nil {
			return nil, err
		}
	}
	if existing := s.secrets[in.Name]; existing != nil {
		if !existing.deletedAt.IsZero() {
			return nil, wire.Errorf("InvalidRequestException",
				"You can't create this secret because a secret with this name is already scheduled for deletion.")
		}
		return nil, wire.Errorf("ResourceExistsException", "The operation failed because the secret %s already exists.", in.Name)
	}
	sec := &secret{
		name: in.Name, arn: s.arn(in.Name) + "-" + s.options.Suffix(), description: in.Description, kmsKey: in.KmsKeyID,
		createdAt: r.Now, changedAt: r.Now, tags: in.Tags,
	}
	s.secrets[in.Name] = sec
	out := map[string]any{"ARN": sec.arn, "Name": sec.name}
	if in.SecretString != nil || in.SecretBinary != nil {
		v := &version{id: cmp.Or(in.ClientRequestToken, s.options.NewID()), text: in.SecretString, binary: in.SecretBinary, createdAt: r.Now}
		sec.put(v)
		out["VersionId"] = v.id
	}
	return out, nil
}

func (s *Service) describeSecret(r *wire.Request) (any, error) {
	var in struct{ SecretID string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	sec, err := s.on(r, in.SecretID)
	if err != nil {
		return nil, err
	}
	return sec.describe("VersionIdsToStages"), nil
}

func (sec *secret) describe(stagesKey string) map[string]any {
	stages := map[string][]string{}
	for _, v := range sec.versions {
		if len(v.stages) > 0 {
			stages[v.id] = v.stages
		}
	}
	out := map[string]any{
		"ARN": sec.arn, "Name": sec.name, "CreatedDate": wire.Time(sec.createdAt), "LastChangedDate": wire.Time(sec.changedAt),
		stagesKey: stages, "Tags": append([]tag{}, sec.tags...),
	}
	if sec.description != "" {
		out["Description"] = sec.description
	}
	if sec.kmsKey != "" {
		out["KmsKeyId"] = sec.kmsKey
	}
	if !sec.deletedAt.IsZero() {
		out["DeletedDate"] = wire.Time(sec.deletedAt)
	}
	return out
}

func (s *Service) getSecretValue(r *wire.Request) (any, error) {
	var in struct{ SecretID, VersionID, VersionStage string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	sec, err := s.on(r, in.SecretID)
	if err != nil {
		return nil, err
	}
	if err := sec.inUse(); err != nil {
		return nil, err
	}
	v, err := sec.version(in.VersionID, in.VersionStage)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"ARN": sec.arn, "Name": sec.name, "VersionId": v.id, "VersionStages": v.stages,
		"CreatedDate": wire.Time(v.createdAt)}
	if v.text != nil {
		out["SecretString"] = *v.text
	} else {
		out["SecretBinary"] = v.binary
	}
	return out, nil
}

func (s *Service) putSecretValue(r *wire.Request) (any, error) {
	var in struct {
		SecretID, ClientRequestToken string
		SecretString                 *string
		SecretBinary                 []byte
		VersionStages                []string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	sec, err := s.on(r, in.SecretID)
	if err != nil {
		return nil, err
	}
	if err := sec.inUse(); err != nil {
		return nil, err
	}
	if in.SecretString == nil && in.SecretBinary == nil {
		return nil, wire.Errorf("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
	}
	v := &version{id: cmp.Or(in.ClientRequestToken, s.options.NewID()), text: in.SecretString, binary: in.SecretBinary, createdAt: r.Now}
	sec.put(v, in.VersionStages...)
	return map[string]any{"ARN": sec.arn, "Name": sec.name, "VersionId": v.id, "VersionStages": v.stages}, nil
}

func (s *Service) listSecrets(r *wire.Request) (any, error) {
	var in struct {
		Filters []struct {
			Key    string
			Values []string
		}
		IncludePlannedDeletion bool
		MaxResults             *int
		NextToken              string
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if err := r.Authorize("secretsmanager:ListSecrets", "*"); err != nil {
		return nil, err
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.secrets)) {
		if in.IncludePlannedDeletion || s.secrets[name].deletedAt.IsZero() {
			names = append(names, name)
		}
	}
	for _, f := range in.Filters {
		if f.Key != "name" {
			return nil, wire.NotModelled("the filter %q of secretsmanager:ListSecrets: name alone", f.Key)
		}
		names = slices.DeleteFunc(names, func(name string) bool {
			return !slices.ContainsFunc(f.Values, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		})
	}
	size := 100
	if in.MaxResults != nil {
		size = min(max(*in.MaxResults, 1), 100)
	}
	page, next, ok := wire.Page(names, in.NextToken, size)
	if !ok {
		return nil, wire.Errorf("InvalidNextTokenException", "The NextToken value is invalid.") // wording unconfirmed
	}
	list := []any{}
	for _, name := range page {
		list = append(list, s.secrets[name].describe("SecretVersionsToStages"))
	}
	out := map[string]any{"SecretList": list}
	if next != "" {
		out["NextToken"] = next
	}
	return out, nil
}

func (s *Service) deleteSecret(r *wire.Request) (any, error) {
	var in struct {
		SecretID                   string
		RecoveryWindowInDays       *int
		ForceDeleteWithoutRecovery bool
	}
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	sec, err := s.on(r, in.SecretID)
	if err != nil {
		return nil, err
	}
	if err := sec.inUse(); err != nil {
		return nil, err
	}
	if in.ForceDeleteWithoutRecovery {
		delete(s.secrets, sec.name)
		return map[string]any{"ARN": sec.arn, "Name": sec.name, "DeletionDate": wire.Time(r.Now)}, nil
	}
	days := 30
	if in.RecoveryWindowInDays != nil {
		days = *in.RecoveryWindowInDays
	}
	if days < 7 || days > 30 {
		return nil, wire.Errorf("InvalidParameterException", "RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	}
	sec.deletedAt = r.Now.AddDate(0, 0, days)
	return map[string]any{"ARN": sec.arn, "Name": sec.name, "DeletionDate": wire.Time(sec.deletedAt)}, nil
}

func (s *Service) restoreSecret(r *wire.Request) (any, error) {
	var in struct{ SecretID string }
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	sec, err := s.on(r, in.SecretID)
	if err != nil {
		return nil, err
	}
	sec.deletedAt = time.Time{}
	return map[string]any{"ARN": sec.arn, "Name": sec.name}, nil
}

// Read resolves an ECS valueFrom that names a secret: ARN[:json-key:version-stage:version-id]. The error is worded as ECS
// words what keeps a task from starting.
func (s *Service) Read(valueFrom string) (string, error) {
	parts := strings.Split(valueFrom, ":")
	var key, stage, versionID string
	arn := valueFrom
	if len(parts) > 7 {
		if len(parts) != 10 {
			// unconfirmed
			return "", fmt.Errorf("unable to retrieve secret from asm: service call has been retried 1 time(s): unexpected ARN format with " +
				"parameters when trying to retrieve ASM secret")
		}
		arn, key, stage, versionID = strings.Join(parts[:7], ":"), parts[7], parts[8], parts[9]
	}
	const asm = "unable to retrieve secret from asm: service call has been retried 1 time(s): "
	sec, err := s.find(arn)
	if err == nil {
		err = sec.inUse()
	}
	var text string
	if err == nil {
		text, err = s.Value(arn, stage, versionID)
	}
	if refusal, ok := errors.AsType[*wire.Error](err); ok {
		return "", fmt.Errorf(asm+"failed to fetch secret %s from secrets manager: %s", arn, inTask(refusal, s.options.NewID()))
	}
	if err != nil || key == "" {
		return text, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return "", fmt.Errorf(asm+"%w", err)
	}
	member, ok := members[key]
	if !ok {
		return "", fmt.Errorf(asm+"retrieved secret from Secrets Manager did not contain json key %s", key)
	}
	var value string
	if json.Unmarshal(member, &value) != nil {
		value = string(member)
	}
	return value, nil
}

// inTask words a refusal as ECS's agent reports one from its own client.
func inTask(refusal *wire.Error, requestID string) string {
	return fmt.Sprintf("operation error Secrets Manager: GetSecretValue, https response error StatusCode: %d, RequestID: %s, api error %s: %s",
		refusal.HTTPStatus(), requestID, refusal.Code, refusal.Message)
}
