package diagnose

import (
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	const secret = "hunter2hunter2"
	tests := []struct{ in, want string }{
		{"postgres://app:" + secret + "@db:5432/api", "postgres://app:***@db:5432/api"},
		{"postgresql+asyncpg://app:p@ss:w/" + secret + "@db/api?ssl=require x@y",
			"postgresql+asyncpg://app:***@db/api?ssl=require x@y"},
		{"rediss://:" + secret + "@cache:6379/0", "rediss://:***@cache:6379/0"},
		{"http://localhost:8000/health", "http://localhost:8000/health"},
		{"key AKIAIOSFODNN7EXAMPLE used", "key AKIA*** used"},
		{"ASIAIOSFODNN7EXAMPLE", "ASIA***"},
		{"aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = ***"},
		{"Authorization: Bearer abcdefgh.ijklmnop-qrst", "Authorization: Bearer ***"},
		{"authorization: basic dXNlcjpw", "authorization: basic ***"},
		{"got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_1 back", "got *** back"},
		{"token ghp_abcdefghijklmnopqrstuvwxyz012345", "token ghp_***"},
		{`{"password": "` + secret + `", "user": "app"}`, `{"password": "***", "user": "app"}`},
		{"DB_PASSWORD=" + secret + " PORT=8000", "DB_PASSWORD=*** PORT=8000"},
		{"api-key: " + secret, "api-key: ***"},
		{"connect(host='db', password='" + secret + "')", "connect(host='db', password='***')"},
		{"password=None", "password=None"},
		{"KeyError: 'DATABASE_PASSWORD'", "KeyError: 'DATABASE_PASSWORD'"},
		{`password authentication failed for user "app"`, `password authentication failed for user "app"`},
		{"Field required [type=missing, input_value={'db': '" + secret + "'}, input_type=dict]",
			"Field required [type=missing, input_value=***, input_type=dict]"},
		{"secret: arn:aws:secretsmanager:eu-west-1:1:secret:api/db-AbCdEf",
			"secret: arn:aws:secretsmanager:eu-west-1:1:secret:api/db-AbCdEf"},
		{"not authorized to perform: secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:eu-west-1:1:secret:api/db-AbCdEf",
			"not authorized to perform: secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:eu-west-1:1:secret:api/db-AbCdEf"},
		{"https://b.s3.amazonaws.com/k?X-Amz-Security-Token=" + secret + "&x=1",
			"https://b.s3.amazonaws.com/k?X-Amz-Security-Token=***&x=1"},
		{"a\n-----BEGIN RSA PRIVATE KEY-----\n" + secret + "\n-----END RSA PRIVATE KEY-----\nb", "a\n***\nb"},
	}
	for _, tt := range tests {
		got := Redact(tt.in)
		if got != tt.want {
			t.Errorf("Redact(%q)\n got %q\nwant %q", tt.in, got, tt.want)
		}
		if again := Redact(got); again != got {
			t.Errorf("redacting twice changes %q to %q", got, again)
		}
		if strings.Contains(got, secret) {
			t.Errorf("the secret is still in %q", got)
		}
	}
}

func TestRedactLines(t *testing.T) {
	lines := []string{"\x1b[31mERROR\x1b[0m a", "-----BEGIN PRIVATE KEY-----", "MIIabc", "MIIdef",
		"-----END PRIVATE KEY-----", "b \x07\xff"}
	want := []string{"ERROR a", "***", "b \uFFFD"}
	if got := RedactLines(lines); strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", got, want)
	}
	var r Redactor
	var streamed []string
	for _, line := range lines {
		if out, ok := r.Line(line); ok {
			streamed = append(streamed, out)
		}
	}
	if strings.Join(streamed, "|") != strings.Join(want, "|") {
		t.Errorf("streamed: got %q, want %q", streamed, want)
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("postgres://u:p@h", "x")
	f.Add("-----BEGIN PRIVATE KEY-----", "password=\"a b\"")
	f.Fuzz(func(t *testing.T, a, b string) {
		once := Redact(a + " " + b)
		if twice := Redact(once); twice != once {
			t.Errorf("%q became %q", once, twice)
		}
	})
}
