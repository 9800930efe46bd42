package taskdef

import (
	"fmt"
	"strings"
	"testing"
)

// edited is a document with one container that has something of everything.
const edited = `{"family":"f","cpu":"256","memory":"512","taskRoleArn":"r","containerDefinitions":[{"name":"api","image":"i",` +
	`"environment":[{"name":"A","value":"1"},{"name":"B","value":"2"}],` +
	`"secrets":[{"name":"S","valueFrom":"/s"},{"name":"T","valueFrom":"/t"}],"dockerLabels":{"L":"1","M":"2"},"logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"g"},"secretOptions":[]},` +
	`"environmentFiles":[{"value":"arn:aws:s3:::old/x.env","type":"s3"}],"command":["old"]}]}`

func TestEdits(t *testing.T) {
	const two = `{"containerDefinitions":[{"name":"api"},{"name":"log"}]}`
	for _, test := range []struct {
		name string
		of   string // a document; "": edited
		edit func(Document) (Document, error)
		from string // what of the document is replaced
		to   string
		err  string
	}{
		{"a secret is changed", "", func(d Document) (Document, error) { return d.WithSecrets("", map[string]string{"S": "/new"}) },
			`"valueFrom":"/s"`, `"valueFrom":"/new"`, ""},
		{"secrets are added by their names' order", "", func(d Document) (Document, error) {
			return d.WithSecrets("", map[string]string{"Z": "arn:aws:secretsmanager:us-west-2:123456789012:secret:x-AbCdEf:url::",
				"U": "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/u"})
		}, `"valueFrom":"/t"}`, `"valueFrom":"/t"},{"name":"U","valueFrom":"arn:aws-cn:ssm:cn-north-1:123456789012:parameter/u"},` +
			`{"name":"Z","valueFrom":"arn:aws:secretsmanager:us-west-2:123456789012:secret:x-AbCdEf:url::"}`, ""},
		{"a secret that is a variable", "", func(d Document) (Document, error) { return d.WithSecrets("", map[string]string{"A": "/a"}) },
			"", "", "has A as an environment variable already"},
		{"a value in a secret's place", "", func(d Document) (Document, error) {
			return d.WithSecrets("", map[string]string{"PASSWORD": "hunter2!"})
		}, "", "", "PASSWORD is not the ARN of a secret"},
		{"an ARN of another service", "", func(d Document) (Document, error) {
			return d.WithSecrets("", map[string]string{"P": "arn:aws:s3:::bucket/x"})
		}, "", "", "P is not the ARN of a secret"},
		{"a cut ARN", "", func(d Document) (Document, error) {
			return d.WithSecrets("", map[string]string{"P": "arn:aws:secretsmanager:us-west-2"})
		}, "", "", "P is not the ARN of a secret"},
		{"a variable that is a secret", "", func(d Document) (Document, error) { return d.WithEnvironment("", map[string]string{"S": "x"}) },
			"", "", "takes S from a secret already"},
		{"names are removed", "", func(d Document) (Document, error) { return d.Without("", []string{"A", "T", "L"}) },
			`"environment":[{"name":"A","value":"1"},{"name":"B","value":"2"}],"secrets":[{"name":"S","valueFrom":"/s"},` +
				`{"name":"T","valueFrom":"/t"}],"dockerLabels":{"L":"1","M":"2"}`,
			`"environment":[{"name":"B","value":"2"}],"secrets":[{"name":"S","valueFrom":"/s"}],"dockerLabels":{"M":"2"}`, ""},
		{"the last ones are removed", `{"containerDefinitions":[{"name":"api","environment":[{"name":"A","value":"1"}],"dockerLabels":null}]}`,
			func(d Document) (Document, error) { return d.Without("", []string{"A"}) }, `[{"name":"A","value":"1"}]`, `[]`, ""},
		{"a name that is not there", "", func(d Document) (Document, error) { return d.Without("", []string{"A", "SS", "xyzzy"}) }, "", "",
			"no environment variable, secret or Docker label SS; did you mean S?\n" +
				"container api has no environment variable, secret or Docker label xyzzy"},
		{"a label", "", func(d Document) (Document, error) {
			return d.WithDockerLabels("", map[string]string{"L": "3", "N": "a=b"})
		},
			`"L":"1","M":"2"`, `"L":"3","M":"2","N":"a=b"`, ""},
		{"the first label", `{"containerDefinitions":[{"name":"api","dockerLabels":null}]}`,
			func(d Document) (Document, error) { return d.WithDockerLabels("", map[string]string{"L": "3"}) }, `null`, `{"L":"3"}`, ""},
		{"environment files replace those that are there", "", func(d Document) (Document, error) {
			return d.WithEnvironmentFiles("", []string{"arn:aws:s3:::b/1.env", "arn:aws-us-gov:s3:::b/k/2.env"})
		}, `{"value":"arn:aws:s3:::old/x.env","type":"s3"}`,
			`{"value":"arn:aws:s3:::b/1.env","type":"s3"},{"value":"arn:aws-us-gov:s3:::b/k/2.env","type":"s3"}`, ""},
		{"an environment file without .env", "", func(d Document) (Document, error) {
			return d.WithEnvironmentFiles("", []string{"arn:aws:s3:::b/1.txt"})
		}, "", "", "in S3 whose name ends in .env"},
		{"a bucket alone", "", func(d Document) (Document, error) { return d.WithEnvironmentFiles("", []string{"arn:aws:s3:::b.env"}) },
			"", "", "is not the ARN of an object"},
		{"a file that is not in S3", "", func(d Document) (Document, error) {
			return d.WithEnvironmentFiles("", []string{"arn:aws:ec2:::b/1.env"})
		},
			"", "", "is not the ARN of an object"},
		{"a local file", "", func(d Document) (Document, error) { return d.WithEnvironmentFiles("", []string{"./app.env"}) },
			"", "", "is not the ARN of an object"},
		{"no ARN", "", func(d Document) (Document, error) { return d.WithEnvironmentFiles("", []string{"x:aws:s3:::b/1.env"}) },
			"", "", "is not the ARN of an object"},
		{"eleven files", "", func(d Document) (Document, error) {
			return d.WithEnvironmentFiles("", strings.Split(strings.TrimSuffix(strings.Repeat("arn:aws:s3:::b/1.env,", 11), ","), ","))
		}, "", "", "ECS takes 10 at most"},
		{"a command", "", func(d Document) (Document, error) { return d.WithCommand("", []string{"a b", "c"}) },
			`["old"]`, `["a b","c"]`, ""},
		{"an entry point", `{"containerDefinitions":[{"name":"api"}]}`,
			func(d Document) (Document, error) { return d.WithEntryPoint("", []string{"sh", "-c"}) }, `"api"`, `"api","entryPoint":["sh","-c"]`, ""},
		{"an option of the log", "", func(d Document) (Document, error) { return d.WithLog("", "", map[string]string{"mode": "a=b"}) },
			`"awslogs-group":"g"`, `"awslogs-group":"g","mode":"a=b"`, ""},
		{"the same driver keeps its options", "", func(d Document) (Document, error) { return d.WithLog("", "awslogs", nil) }, "", "", ""},
		{"another driver drops them", "", func(d Document) (Document, error) {
			return d.WithLog("", "awsfirelens", map[string]string{"Name": "x"})
		},
			`{"logDriver":"awslogs","options":{"awslogs-group":"g"},"secretOptions":[]}`, `{"logDriver":"awsfirelens","options":{"Name":"x"}}`, ""},
		{"a driver that does not exist", "", func(d Document) (Document, error) { return d.WithLog("", "awslog", nil) },
			"", "", `"awslog" is not a log driver; did you mean awslogs?`},
		{"options without a driver", `{"containerDefinitions":[{"name":"api"}]}`,
			func(d Document) (Document, error) { return d.WithLog("", "", map[string]string{"a": "b"}) }, "", "", "has no log driver"},
		{"the size", "", func(d Document) (Document, error) { return d.WithSize("512", "1024"), nil },
			`"cpu":"256","memory":"512"`, `"cpu":"512","memory":"1024"`, ""},
		{"the memory alone", "", func(d Document) (Document, error) { return d.WithSize("", "1024"), nil }, `"512"`, `"1024"`, ""},
		{"the roles", "", func(d Document) (Document, error) { return d.WithRoles("app", ""), nil }, `"taskRoleArn":"r"`, `"taskRoleArn":"app"`, ""},
		{"the execution role", `{"containerDefinitions":[{"name":"api"}]}`,
			func(d Document) (Document, error) { return d.WithRoles("", "start"), nil }, `]}`, `],"executionRoleArn":"start"}`, ""},
		{"several containers", two,
			func(d Document) (Document, error) { return d.WithSecrets("", map[string]string{"S": "s"}) }, "", "", "name one"},
		{"several containers to remove from", two,
			func(d Document) (Document, error) { return d.Without("", []string{"S"}) }, "", "", "name one"},
		{"several containers to log from", two,
			func(d Document) (Document, error) { return d.WithLog("", "awslogs", nil) }, "", "", "name one"},
	} {
		t.Run(test.name, func(t *testing.T) {
			source := test.of
			if source == "" {
				source = edited
			}
			d, err := Parse([]byte(source))
			if err != nil {
				t.Fatal(err)
			}
			got, err := test.edit(d)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(fmt.Sprint(err), "hunter2") || !got.IsZero() {
					t.Errorf("%v, want %q", err, test.err)
				}
				return
			}
			want := source
			if test.from != "" {
				if strings.Count(source, test.from) != 1 && test.name != "the memory alone" {
					t.Fatalf("%q stands %d times in the document", test.from, strings.Count(source, test.from))
				}
				want = strings.Replace(source, test.from, test.to, 1)
			}
			if err != nil || string(got.JSON()) != want {
				t.Errorf("%v\n got %s\nwant %s", err, got.JSON(), want)
			}
			if string(d.JSON()) != source {
				t.Error("the document itself has changed")
			}
		})
	}
}
