package reach

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// login is what a secret says of a database or of Redis.
type login struct {
	Host, Port, User, Password, Database string
	TLS                                  bool // the URL asks for it
	Mode                                 string
}

// parseLogin reads the JSON of a secret. None of its values is in an error.
func parseLogin(secret []byte, port string) (login, error) {
	var in struct {
		Username, Password, Host, Database, URL string
		Port                                    any
	}
	if err := json.Unmarshal(secret, &in); err != nil {
		return login{}, errors.New("it is not JSON with host, port and password, as Terraform's modules write it")
	}
	out := login{Host: in.Host, User: in.Username, Password: in.Password, Database: in.Database}
	if in.Port != nil {
		out.Port = fmt.Sprint(in.Port)
	}
	if in.URL != "" {
		u, err := url.Parse(in.URL)
		if err != nil {
			return login{}, errors.New("its url cannot be read")
		}
		password, _ := u.User.Password()
		out.Host, out.Port = cmp.Or(out.Host, u.Hostname()), cmp.Or(out.Port, u.Port())
		out.User, out.Password = cmp.Or(out.User, u.User.Username()), cmp.Or(out.Password, password)
		out.Database = cmp.Or(out.Database, strings.TrimPrefix(u.Path, "/"))
		out.TLS, out.Mode = u.Scheme == "rediss", cmp.Or(u.Query().Get("sslmode"), u.Query().Get("ssl"))
	}
	out.Port = cmp.Or(out.Port, port)
	if out.Host == "" {
		return login{}, errors.New("it says no host")
	}
	return out, nil
}

func (l login) address() string { return net.JoinHostPort(l.Host, l.Port) }

// psqlEnvironment is what psql reads. The address is the tunnel's, the name the server's own: so a certificate can be checked.
func (l login) psqlEnvironment(port string, getenv func(string) string) []string {
	mode := l.Mode
	if !map[string]bool{"disable": true, "allow": true, "prefer": true, "require": true, "verify-ca": true, "verify-full": true}[mode] {
		mode = "require" // RDS refuses anything less
	}
	return []string{"PGHOST=" + l.Host, "PGHOSTADDR=127.0.0.1", "PGPORT=" + port, "PGUSER=" + l.User, "PGPASSWORD=" + l.Password,
		"PGDATABASE=" + l.Database, "PGSSLMODE=" + cmp.Or(getenv("PGSSLMODE"), mode), "PGAPPNAME=connect2"}
}

// redisArguments are what redis-cli is called with: nothing that is secret.
func (l login) redisArguments(port string) []string {
	args := []string{"-h", "127.0.0.1", "-p", port}
	if l.TLS {
		args = append(args, "--tls", "--sni", l.Host)
	}
	if l.User != "" && l.User != "default" {
		args = append(args, "--user", l.User)
	}
	return args
}
