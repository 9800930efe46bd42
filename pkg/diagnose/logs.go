package diagnose

import (
	"slices"
	"strings"
	"sync"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/pkg/record"
)

// taskWords say otherwise, by code, what a log means in a one-off task: that is most often the migration itself, and nobody should be
// told to run the migration that has just failed.
var taskWords = map[string]rule{
	"schema-not-migrated": {
		code:  "schema-unexpected",
		title: "what ${container} does, does not fit the database's schema: ${what}",
		fix: []string{"if this is a migration: correct it; an earlier one may be missing from the image (compare `alembic history` with " +
			"`alembic current`)",
			"if it is another command: run the migrations of this image first (action `migrate`)"},
	},
}

// taskLogRules are logRules in the words for one-off tasks.
var taskLogRules = sync.OnceValue(func() []rule {
	rules := slices.Clone(logRules)
	for i, r := range rules {
		if other, ok := taskWords[r.code]; ok {
			rules[i].code, rules[i].title, rules[i].fix = other.code, other.title, other.fix
		}
	}
	return rules
})

// logRules recognise, in a container's last lines, why a program gave up. They are tried in this order, each from the last
// line back: what can only be a fault of the image comes before what a dependency may have caused.
var logRules = []rule{
	{
		code:  "architecture-mismatch",
		re:    lazyregexp.New(`exec format error`),
		title: "the image of ${container} was built for another CPU architecture than the task's (${arch})",
		fix: []string{"build for it: `docker buildx build --platform linux/${platform_arch} …`",
			"or set `runtimePlatform.cpuArchitecture` of the task definition to the architecture of the image"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "app-import-error",
		re:    lazyregexp.New(`^(?:\w+ +\| )?(?P<error>(?:ModuleNotFoundError|ImportError): .+)$`),
		title: "${container} cannot import its own code or a dependency: ${error}",
		fix: []string{"add the missing dependency, or copy the missing package into the image; check PYTHONPATH and the working directory",
			"try it: `docker run --rm IMAGE python -c 'import …'`"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "app-import-error",
		re:    lazyregexp.New(`(?P<error>Error loading ASGI app\..+|Error: Cannot find module .+|Could not import module .+|Failed to find attribute .+)`),
		title: "the server of ${container} cannot load the application: ${error}",
		fix:   []string{"check the `module:attribute` in the container's command against the files in the image"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "app-syntax-error",
		re:    lazyregexp.New(`^(?P<error>(?:SyntaxError|IndentationError|TabError): .+)$`),
		title: "${container} has a syntax error: ${error}",
		fix:   []string{"correct it; a Python in the image that is older than the code needs shows like this too"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "app-config-invalid",
		re:    lazyregexp.New(`(?P<error>\d+ validation errors? for \w*(?i:settings|config)\w*)`),
		title: "the configuration of ${container} is incomplete or wrong: ${error}",
		fix:   []string{"set the fields named in the log in `environment` or `secrets` of the task definition's container ${container}"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "app-config-invalid",
		re:    lazyregexp.New(`^KeyError: '(?P<name>[A-Z][A-Z0-9_]+)'$`),
		title: "${container} needs the environment variable ${name}, which is not set",
		fix:   []string{"set ${name} in `environment` or `secrets` of the task definition's container ${container}"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "schema-revision-missing",
		re:    lazyregexp.New(`Can't locate revision identified by '(?P<revision>[^']+)'`),
		title: "the database is at schema revision ${revision}, which this image does not contain",
		fix: []string{"a newer release has migrated the database: deploy an image that contains the revision ${revision}",
			"or downgrade the schema from such an image before going back"},
		fault: record.FaultRelease,
	},
	{
		code:  "schema-many-heads",
		re:    lazyregexp.New(`Multiple head revisions are present`),
		title: "the migrations have several heads",
		fix:   []string{"join them: `alembic merge heads`, and release again"},
		fault: record.FaultRelease,
	},
	{
		code:  "port-in-use",
		re:    lazyregexp.New(`(?i)(?:address already in use|EADDRINUSE)`),
		title: "${container} cannot listen: its address is already in use",
		fix:   []string{"two containers of one task share one network: give each its own port; do not start the server twice"},
		fault: record.FaultRelease,
	},
	{
		code:  "port-privileged",
		re:    lazyregexp.New(`(?i)(?:bind|listen).*permission denied|permission denied.*(?:bind|listen)`),
		title: "${container} may not listen on its port",
		fix:   []string{"listen on a port above 1023, or run as root"},
		fault: record.FaultRelease,
	},
	{
		code:  "read-only-file-system",
		re:    lazyregexp.New(`(?i)read-only file system:? ?(?P<path>'[^']+')?`),
		title: "${container} writes to its read-only root file system ${path}",
		fix:   []string{"write under a volume or tmpfs, or set `readonlyRootFilesystem: false`"},
		fault: record.FaultRelease,
	},
	{
		code:  "command-not-found",
		re:    lazyregexp.New(`(?:/bin/)?(?:ba)?sh: (?:line )?(?:\d+: )?(?P<exec>\S+): (?:command )?not found|exec (?P<exec2>\S+): no such file or directory`),
		title: "the image of ${container} has no command ${exec}",
		fix:   []string{"install it in the image, or correct the container's command (a script with CRLF line ends shows like this too)"},
		fault: record.FaultRelease, certain: true,
	},
	{
		code:  "database-auth-failed",
		re:    lazyregexp.New(`password authentication failed for user "(?P<user>[^"]*)"|(?i:WRONGPASS|NOAUTH Authentication required|Access denied for user)`),
		title: "${container} was refused by its database: wrong user or password",
		fix: []string{"compare the secret with the database's current password; secrets are read only when a task starts, so a rotation " +
			"needs a new deployment"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "database-missing",
		re:    lazyregexp.New(`database "(?P<db>[^"]+)" does not exist`),
		title: "the database ${db} does not exist",
		fix:   []string{"create it, or correct the database's name in the connection URL"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "schema-not-migrated",
		re:    lazyregexp.New(`(?P<what>(?:relation|column) "?[\w.]+"?(?: of relation "\w+")? does not exist)`),
		title: "the database's schema does not fit the image: ${what}",
		fix:   []string{"run the migrations of this image before it is deployed (action `migrate`, or `migrate: true`)"},
		fault: record.FaultRelease,
	},
	{
		code:  "database-lock-timeout",
		re:    lazyregexp.New(`(?i)canceling statement due to (?P<what>lock|statement) timeout|deadlock detected`),
		title: "a database statement of ${container} waited too long for a lock",
		fix:   []string{"find what holds it in `pg_locks` and `pg_stat_activity`; run the step again when it is gone"},
		fault: record.FaultUnclear,
	},
	{
		code:  "database-unreachable",
		re:    lazyregexp.New(`connection to server at "(?P<host>[^"]+)"(?: \([^)]*\))?, port (?P<port>\d+) failed`),
		title: "${container} cannot reach its database at ${host}:${port}",
		fix: []string{"check that the database is up, and that its security group allows ${port} from the service's security group",
			"check the host and port in the connection URL"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "dependency-unreachable",
		re:    lazyregexp.New(`Error \d+ connecting to (?P<host>[^\s:]+):(?P<port>\d+)`),
		title: "${container} cannot reach ${host}:${port}",
		fix:   []string{"check that it is up, and that its security group allows ${port} from the service's security group"},
		fault: record.FaultInfrastructure,
	},
	{
		code: "dependency-unreachable",
		re: lazyregexp.New(`(?i)could not translate host name "(?P<host>[^"]+)"|(?P<why>name or service not known|` +
			`temporary failure in name resolution|nodename nor servname provided|ENOTFOUND \S+|no such host)`),
		title: "${container} cannot resolve a host name that it depends on (${host})",
		fix:   []string{"check the host names in the container's settings, and the VPC's DNS settings (enableDnsHostnames, enableDnsSupport)"},
		fault: record.FaultInfrastructure,
	},
	{
		code: "dependency-unreachable",
		re: lazyregexp.New(`(?i)(?P<why>connection refused|ECONNREFUSED|connect call failed|connection timed out|ETIMEDOUT|` +
			`server closed the connection unexpectedly|too many (?:clients|connections)|remaining connection slots are reserved)`),
		title: "${container} cannot reach something that it depends on: ${why}",
		fix: []string{"see in the quoted lines what it tried to reach; check that it is up, and that its security group allows the " +
			"service's security group"},
		fault: record.FaultInfrastructure,
	},
	{
		code:  "out-of-memory",
		re:    lazyregexp.New(`(?i)was sent SIGKILL! Perhaps out of memory|JavaScript heap out of memory|java\.lang\.OutOfMemoryError|^MemoryError\b|Out of memory: Killed process`),
		title: "${container} ran out of memory (${memory})",
		fix:   []string{"raise `memory` of the task definition, or start fewer workers"},
		fault: record.FaultRelease,
	},
}

// listening finds what a server says of its own address: uvicorn and hypercorn ("running on http://…"), gunicorn
// ("Listening at: http://…"), Node and Go programs that print one.
var listening = lazyregexp.New(`(?i)(?:running on|listening (?:at|on):?) +(?:https?://)?(?P<host>\[?[\w.:*]*?\]?):(?P<port>\d{2,5})\b`)

// exception finds the line that names a Python exception: dotted name, then a colon and the message or nothing.
var exception = lazyregexp.New(`^(?:[a-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Timeout|Fault|Warning|Refused|Denied|NotFound|Invalid|Missing)(?:: .*)?$`)

// fatal finds the line with which programs of other languages end.
var fatal = lazyregexp.New(`^(?:panic: |fatal error: |FATAL|CRITICAL|thread '.*' panicked|Exception in thread |Uncaught |(?:\w+)?Error: |\[?error\]?[: ]|FAILED: )`)

// lastWords returns the line that says best why a program ended, or "" where there is none: the exception of the last
// Python traceback (chained ones end with the outermost), else the last line that looks like an error.
func lastWords(lines []string) string {
	traceback := -1
	for i, line := range lines {
		if strings.HasPrefix(line, "Traceback (most recent call last)") {
			traceback = i
		}
	}
	if traceback >= 0 {
		for _, line := range lines[traceback+1:] {
			// The frames are indented; the first line that is not is the exception.
			if line != "" && line[0] != ' ' && line[0] != '\t' {
				return line
			}
		}
	}
	for i := len(lines) - 1; i >= 0; i-- {
		if line := strings.TrimSpace(lines[i]); exception.MatchString(line) || fatal.MatchString(line) {
			return line
		}
	}
	return ""
}

// lastLines returns the last n lines that are not blank.
func lastLines(lines []string, n int) []string {
	out := make([]string, 0, n)
	for i := len(lines) - 1; i >= 0 && len(out) < n; i-- {
		if strings.TrimSpace(lines[i]) != "" {
			out = append(out, lines[i])
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}
