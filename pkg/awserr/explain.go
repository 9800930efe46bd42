package awserr

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/org/connect2/v2/internal/lazyregexp"
)

// Problem is an error of AWS with its meaning. errors.Is and errors.As still reach the error that it explains.
type Problem struct {
	Kind      Kind
	Title     string  // the root cause in one short line
	What      string  // what was tried and what came back
	Advice    string  // what to do next
	Denial    *Denial // set where a message of AWS names the missing permission
	RequestID string  // what AWS's support asks for; empty where there was no answer
	Err       error   // the error as it came
}

// Error returns one paragraph: what was tried, what came back, and what to do next.
func (p *Problem) Error() string {
	text := p.What
	if p.RequestID != "" {
		text += " (request " + p.RequestID + ")"
	}
	if p.Advice != "" {
		text = strings.TrimRight(text, ".") + ". " + p.Advice
	}
	return text
}

// Unwrap returns the error that is explained.
func (p *Problem) Unwrap() error { return p.Err }

// Explain wraps an error of an AWS call so that its message names the missing permission and the statement that would
// grant it, expired or invalid credentials, clock skew, a wrong region, a lost connection and so on, with what to do next.
// What the caller wrote before the SDK's own text is kept. It returns err itself where there is nothing to add: nil, an
// error that was explained before, a cancelled call, and errors that speak for themselves.
//
// Explain is pure. It reads typed errors of the SDK, and text that other programs made of them.
func Explain(err error) error {
	var known *Problem
	if err == nil || errors.As(err, &known) || Cancelled(err) {
		return err
	}
	f := factsOf(err)
	p := &Problem{Kind: f.kind(), RequestID: f.requestID, Err: err}
	if p.Kind == "" {
		return err
	}
	f.describe(p)
	p.What = f.prefix(err) + p.What
	return p
}

// Advised is an error without credentials that knows its root cause and what to do about it, such as a role that refuses.
type Advised interface {
	error
	Title() string
	Advice() string
}

// MissingCredentialsAdvice says how to give a run credentials.
const MissingCredentialsAdvice = "In a workflow, give the job `permissions: id-token: write` and the action the input role-to-assume. " +
	"Elsewhere set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN for temporary keys)."

// describe fills in title, what and advice, one case for each kind.
func (f facts) describe(p *Problem) {
	call, said := f.call(), f.said()
	switch p.Kind {
	case KindDenied:
		f.describeDenial(p)
	case KindKey:
		f.describeDenial(p)
		if p.Denial == nil {
			p.Title = "A KMS key may not be used"
			p.What = call + " needs a KMS key that it may not use" + said
			p.Advice = "The key policy of that KMS key must allow kms:Decrypt and kms:GenerateDataKey for the calling role " +
				"(or for the service principal, where a service uses the key by itself); check also that the key exists in this region and is enabled."
		}
	case KindExpired:
		p.Title = "The AWS credentials have expired"
		p.What = call + " was refused: the credentials have expired" + said
		p.Advice = "With the input role-to-assume and `permissions: id-token: write`, they are renewed for as long as the run lasts; " +
			"credentials that an earlier step exported are not, so ask for a longer session there (role-duration-seconds) " +
			"or use role-to-assume here."
	case KindCredentials:
		var refused Advised
		if errors.As(p.Err, &refused) {
			p.Title, p.What, p.Advice = refused.Title(), call+" got no credentials: "+refused.Error(), refused.Advice()
			return
		}
		p.Title = "The AWS credentials are not valid"
		p.What = call + " was refused: AWS does not accept the credentials" + said
		p.Advice = credentialsAdvice(f)
	case KindClock:
		p.Title = "The clock of this machine is wrong"
		p.What = call + " was refused: the request's signature is too old or from the future" + said
		p.Advice = "AWS allows 5 to 15 minutes of difference: set the runner's clock (NTP), then run again."
	case KindRegion:
		p.Title = "Wrong AWS region"
		p.What = call + " was refused: the region does not fit" + said
		p.Advice = "Check the input region (or AWS_REGION), that the resource is there, and that the account has the region enabled."
		if m := expectedRegion.FindStringSubmatch(f.message); m != nil {
			p.Advice = fmt.Sprintf("Use region %s: the resource is there.", m[1])
		}
	case KindThrottled:
		p.Title = "AWS throttles the calls"
		p.What = call + " was refused for too many requests, after all retries" + said
		p.Advice = "The rate is shared by everything in this account and region: run again later, " +
			"or let fewer deployments and pollers run at once."
	case KindQuota:
		p.Title = "A quota of the AWS account is reached"
		p.What = call + " was refused: a quota is reached" + said
		p.Advice = "Delete what is not used, or ask for a higher quota in Service Quotas. Trying again does not help."
	case KindNotFound:
		p.Title = orElse(f.operation, "The call") + ": not found"
		p.What = call + " found nothing by that name" + said
		p.Advice = "Check the spelling, the account and the region."
	case KindUnsupported:
		p.Title = "Not supported here"
		p.What = call + " is not supported by this endpoint" + said
		p.Advice = "The region, the partition or the endpoint (AWS_ENDPOINT_URL) may not have this operation."
	case KindLost:
		f.describeLost(p)
	}
}

func (f facts) describeDenial(p *Problem) {
	d, ok := ParseDenial(f.text)
	if !ok {
		p.Title = "Access denied to " + f.call()
		p.What = f.call() + " was denied" + f.said()
		p.Advice = "AWS does not say which permission is missing; it is " +
			orElse(f.permission(), "most likely that of the same name as the operation") + "."
		return
	}
	p.Denial = &d
	p.Title = "Missing permission " + d.Action
	p.What = f.call() + " was denied: " + d.String()
	p.Advice = d.Advice()
}

func (f facts) describeLost(p *Problem) {
	if f.unanswered {
		p.Title = "No answer from AWS"
		p.What = f.call() + " got no answer" + tail(f.cause())
		p.Advice = "This is the network, not a permission: check DNS, the proxy (HTTPS_PROXY, NO_PROXY), security groups or VPC endpoints of a " +
			"self-hosted runner, and AWS_ENDPOINT_URL where it is set."
		if strings.Contains(f.text, "x509:") || strings.Contains(f.text, "tls:") {
			p.Advice = "The TLS certificate is not trusted: behind an inspecting proxy, give its certificate authority in AWS_CA_BUNDLE."
		}
		return
	}
	p.Title = "AWS did not answer properly"
	p.What = fmt.Sprintf("%s got HTTP status %d", f.call(), f.status) + f.said()
	if f.garbled {
		p.What += ", and the body is not of the service's protocol (an error page of a proxy or load balancer, most likely)"
	}
	p.Advice = "This passes by itself as a rule, and was retried: run again, and look at the AWS Health Dashboard or the proxy if it stays."
}

func credentialsAdvice(f facts) string {
	denial, denied := ParseDenial(f.text)
	switch {
	case f.noCredentials && denied:
		return denial.Advice()
	case strings.Contains(f.text, "no EC2 IMDS role found") || strings.Contains(f.text, "static credentials are empty"):
		return MissingCredentialsAdvice
	case strings.Contains(f.message, "signature we calculated does not match"):
		return "The secret key does not belong to the access key: check AWS_SECRET_ACCESS_KEY for a cut or a stray blank or line end."
	case f.noCredentials:
		return "They could not be had or renewed: see what came back above."
	default:
		return "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN (temporary keys need all three), " +
			"that the key is active, and " +
			"that it is of the partition and account meant. With role-to-assume no keys are needed."
	}
}

// call names what was called: "ECS UpdateService".
func (f facts) call() string {
	return orElse(strings.TrimSpace(f.service+" "+f.operation), "The call")
}

// said quotes AWS's code and message, as the end of a sentence.
func (f facts) said() string {
	message := strings.TrimRight(oneLine(f.message), ". ")
	switch {
	case f.code == "" || f.code == "UnknownError":
		return tail(message)
	case message == "":
		return ": " + f.code
	default:
		return ": " + f.code + ": " + message
	}
}

// cause is the innermost reason of a connection that failed, without the layers that repeat the address.
func (f facts) cause() string {
	text := oneLine(f.text)
	for _, marker := range []string{"request send failed, ", "StatusCode: 0, RequestID: , "} {
		if i := strings.LastIndex(text, marker); i >= 0 {
			return text[i+len(marker):]
		}
	}
	return text
}

// permission guesses the IAM action behind an API call for services that name the two alike.
func (f facts) permission() string {
	if f.operation == "" {
		return ""
	}
	prefix, ok := map[string]string{
		"ECS": "ecs", "ECR": "ecr", "CloudWatch Logs": "logs", "Elastic Load Balancing v2": "elasticloadbalancing",
		"Application Auto Scaling": "application-autoscaling", "Secrets Manager": "secretsmanager", "SSM": "ssm", "IAM": "iam", "KMS": "kms",
		"STS": "sts",
	}[f.service]
	if !ok {
		return ""
	}
	return prefix + ":" + f.operation
}

// prefix is what callers wrapped around the SDK's error: "update service api: ".
func (f facts) prefix(err error) string {
	var operation *smithy.OperationError
	if !errors.As(err, &operation) {
		return ""
	}
	before, _, found := strings.Cut(f.text, operation.Error())
	if !found {
		return ""
	}
	return before
}

var expectedRegion = lazyregexp.New(`expecting '([a-z0-9-]+)'`)

func tail(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}

// oneLine joins the lines of a text and keeps it to a length that a message can bear.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	const limit = 600
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}
