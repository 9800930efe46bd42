package githubsetup

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/lazyregexp"
)

// Values are what Terraform made.
type Values struct {
	Region       string
	Environments []Outputs // dev, staging, prod, as far as they are given
}

// Outputs are the outputs of an environment that are text.
type Outputs struct {
	Environment string
	Text        map[string]string
}

var (
	repositoryForm = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	roleForm       = lazyregexp.New(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$`)
	regionForm     = lazyregexp.New(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	registryForm   = lazyregexp.New(`^([0-9]{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|[a-z0-9.]+)/\S+$`)
	nameForm       = lazyregexp.New(`^[A-Za-z0-9][\w./-]*$`)
)

// accountOf and regionOf read the URL of an ECR repository; empty where it is not one.
func accountOf(repository string) string { return partOf(repository, 1) }
func regionOf(repository string) string  { return partOf(repository, 2) }

func partOf(repository string, i int) string {
	if m := registryForm.FindStringSubmatch(repository); m != nil {
		return m[i]
	}
	return ""
}

// ReadOutputs reads what `terraform output -json` printed: the values of the outputs by their names.
func ReadOutputs(text []byte) (map[string]json.RawMessage, error) {
	var all map[string]struct {
		Value json.RawMessage `json:"value"`
		Type  json.RawMessage `json:"type"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("it is not what `terraform output -json` prints: %w", err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("it has no outputs: apply the environment first, and run `terraform output -json` in its folder")
	}
	found := map[string]json.RawMessage{}
	for name, output := range all {
		if output.Value == nil || output.Type == nil {
			return nil, fmt.Errorf("it is not what `terraform output -json` prints: %s has no value and type", name)
		}
		found[name] = output.Value
	}
	return found, nil
}

// textOutputs reads the outputs that are text.
func textOutputs(text []byte) (map[string]string, error) {
	all, err := ReadOutputs(text)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for name, output := range all {
		var value string
		if json.Unmarshal(output, &value) == nil && value != "" { // null and what is no text are left out
			found[name] = value
		}
	}
	return found, nil
}

// Check returns everything that is wrong with the values for these parts, all at once.
func (v Values) Check(parts ...part) (problems []string) {
	needed := outputsOf(parts...)
	for _, of := range v.Environments {
		for _, name := range needed {
			value := of.Text[name]
			switch {
			case value == "" && strings.HasSuffix(name, "_role_arn"):
				problems = append(problems, fmt.Sprintf("%s: the output %s is missing or null: name the repositories under github in "+
					"terraform/environments/%s/%s.tfvars and apply, or give --value %s.%s=ARN",
					of.Environment, name, of.Environment, of.Environment, of.Environment, name))
			case value == "":
				problems = append(problems, fmt.Sprintf("%s: the output %s is missing: apply the environment, or give --value %s.%s=…",
					of.Environment, name, of.Environment, name))
			default:
				if wrong := wrongValue(name, value); wrong != "" {
					problems = append(problems, fmt.Sprintf("%s: the output %s is %q, which %s", of.Environment, name, value, wrong))
				}
			}
		}
	}
	problems = append(problems, v.mixedUp(needed)...)
	switch {
	case v.Region == "":
		problems = append(problems, "the region is not known: give --region")
	case !regionForm.MatchString(v.Region):
		problems = append(problems, fmt.Sprintf("the region %q is not one of AWS's", v.Region))
	}
	for _, of := range v.Environments {
		if made := regionOf(of.Text["repository_url"]); made != "" && v.Region != "" && made != v.Region {
			problems = append(problems, fmt.Sprintf("%s is in %s, not in %s: the workflows take one AWS_REGION for all environments, "+
				"so set that environment's up by hand", of.Environment, made, v.Region))
		}
	}
	return problems
}

func wrongValue(output, value string) string {
	switch {
	case strings.HasSuffix(output, "_role_arn"):
		if !roleForm.MatchString(value) {
			return "is not the ARN of a role"
		}
	case output == "service_url":
		if u, err := url.Parse(value); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return "is not a URL"
		}
	case !nameForm.MatchString(value):
		return "is not a name"
	}
	return ""
}

// mixedUp finds the outputs of one environment under the name of another: no two share a role or a service.
func (v Values) mixedUp(needed []string) (problems []string) {
	apart := []string{"deploy_role_arn", "push_role_arn", "plan_role_arn", "apply_role_arn"}
	for i, a := range v.Environments {
		for _, b := range v.Environments[i+1:] {
			for _, name := range apart {
				if slices.Contains(needed, name) && a.Text[name] != "" && a.Text[name] == b.Text[name] {
					problems = append(problems, fmt.Sprintf("%s and %s have the same %s: the outputs of one are given for the other",
						a.Environment, b.Environment, name))
				}
			}
		}
	}
	return problems
}
