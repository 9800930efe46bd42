#!/bin/sh
# Puts connect2 on the PATH: the binary of the release whose commit this file stands in. The release wrote the file "release" beside
# it: the repository, the version and the checksums. POSIX sh, so that it runs where there is no bash.
set -eu

stop() {
  echo "::error title=$1::$2"
  exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
release=$here/release

system=$(uname -s)
case $system in
Linux) system=linux ;;
Darwin) system=darwin ;;
MINGW* | MSYS* | CYGWIN*)
  stop "No connect2 for Windows" "Run the job's steps in WSL (shell: wsl-bash {0} of Vampire/setup-wsl), or on Linux or macOS."
  ;;
*) stop "No connect2 for $system" "There are binaries for Linux and macOS." ;;
esac
machine=$(uname -m)
case $machine in
x86_64 | amd64) machine=amd64 ;;
aarch64 | arm64) machine=arm64 ;;
*) stop "No connect2 for $machine" "There are binaries for amd64 (x86_64) and arm64 (aarch64)." ;;
esac
name=connect2_${system}_$machine

# tell DIRECTORY VERSION: the outputs, and the PATH of the steps that follow.
tell() {
  said=$("$1/connect2" --version) || stop "connect2 does not start" "$1/connect2 --version failed on $(uname -sm)."
  case $said in
  "connect2 $2") ;;
  *) [ "$2" = devel ] || stop "Another version" "$1/connect2 says that it is $said, not $2." ;;
  esac
  echo "$1" >>"$GITHUB_PATH"
  {
    echo "version=$2"
    echo "path=$1"
  } >>"$GITHUB_OUTPUT"
  echo "$said is on the PATH: $1"
}

if [ ! -f "$release" ]; then
  # A branch, or the toolkit's own checks: there is nothing to download, but the sources are here.
  command -v go >/dev/null ||
    stop "Not a release" "This commit of the action is not a release's, so it has no binary: use @v2, @v2.MINOR.PATCH or the commit \
of such a tag. With Go on the PATH it builds from its sources."
  into=${RUNNER_TEMP:?}/connect2-$$
  (cd "$here/../.." && CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$into/connect2" ./cmd/connect2) ||
    stop "connect2 was not built" "go build failed; what it said stands above."
  tell "$into" devel
  exit 0
fi

field() { sed -n "s/^$1 //p" "$release"; }
repository=$(field repository) version=$(field version)
want=$(sed -n "s/^\([0-9a-f]\{64\}\)  $name\$/\1/p" "$release")
[ -n "$repository" ] && [ -n "$version" ] && [ -n "$want" ] ||
  stop "The release is incomplete" "$release does not name the repository, the version and the checksum of $name."

if command -v sha256sum >/dev/null; then
  sum() { sha256sum "$1" | cut -d ' ' -f 1; }
elif command -v shasum >/dev/null; then
  sum() { shasum -a 256 "$1" | cut -d ' ' -f 1; }
else
  stop "No checksums" "The runner has neither sha256sum nor shasum, and nothing is run unchecked."
fi

# The runner's tool cache outlives the job on self-hosted machines. What it holds is checked like what is downloaded.
into=
for base in "${RUNNER_TOOL_CACHE:-}" "${RUNNER_TEMP:?}"; do
  [ -n "$base" ] || continue
  into=$base/connect2/${version#v}/$machine
  if [ -x "$into/connect2" ] && [ "$(sum "$into/connect2")" = "$want" ]; then
    echo "$name of $version is in the tool cache."
    tell "$into" "$version"
    exit 0
  fi
  mkdir -p "$into" 2>/dev/null && [ -w "$into" ] && break
done

server=${SERVER_URL:-${GITHUB_SERVER_URL:-https://github.com}}
server=${server%/}
case $server in
https://github.com) api=https://api.github.com ;;
https://*.ghe.com) api=https://api.${server#https://} ;;
*) api=$server/api/v3 ;;
esac
case $server in
https://*) protocol='=https' ;;
http://127.0.0.1:*) protocol='=http,https' ;; # the tests' server
*) stop "server-url" "$server is not an https:// address." ;;
esac
if [ "$server" = "${GITHUB_SERVER_URL:-}" ] && [ -n "${GITHUB_API_URL:-}" ]; then api=${GITHUB_API_URL%/}; fi

command -v curl >/dev/null || stop "No curl" "The download needs curl on the runner."

part=$into/.connect2.$$
trap 'rm -f "$part" "$part.json"' EXIT

# download URL FILE [HEADER...]: prints the status. The token goes by standard input: an argument could be read by every process.
download() {
  url=$1 file=$2
  shift 2
  {
    for header in "$@"; do printf 'header = "%s"\n' "$header"; done
  } | curl --config - --silent --show-error --location --proto "$protocol" --connect-timeout 20 --max-time 300 \
    --retry 4 --output "$file" --write-out '%{http_code}' "$url" || echo " curl: exit $?"
}

if [ -z "${TOKEN:-}" ]; then
  url=$server/$repository/releases/download/$version/$name
  status=$(download "$url" "$part")
  [ "$status" = 200 ] ||
    stop "connect2 was not downloaded" "$url answered $status. Where $repository is not public, give token: a token with contents: read \
on it, such as one of a GitHub App; the workflow's own token reads its own repository alone."
else
  url=$api/repos/$repository/releases/tags/$version
  status=$(download "$url" "$part.json" "Authorization: Bearer $TOKEN" "Accept: application/vnd.github+json")
  [ "$status" = 200 ] ||
    stop "The release was not found" "$url answered $status. The token needs contents: read on $repository."
  # One field a line; within an asset its url comes before its name.
  asset=$(tr '{},' '\n\n\n' <"$part.json" | sed -n \
    -e 's|^ *"url" *: *"\(http[^"]*/releases/assets/[0-9]*\)" *$|url \1|p' -e 's|^ *"name" *: *"\([^"\\]*\)" *$|name \1|p' |
    awk -v name="$name" '$1 == "url" { url = $2; next } url != "" && $2 == name { print url; exit } { url = "" }')
  [ -n "$asset" ] || stop "The release is incomplete" "$version of $repository has no file $name."
  status=$(download "$asset" "$part" "Authorization: Bearer $TOKEN" "Accept: application/octet-stream")
  [ "$status" = 200 ] || stop "connect2 was not downloaded" "$asset answered $status."
fi

got=$(sum "$part")
[ "$got" = "$want" ] ||
  stop "Not the released bytes" "$name of $version from $server has the SHA-256 $got; the release's commit says $want. Nothing was run."
chmod 755 "$part"
mv -f "$part" "$into/connect2" # at once: jobs beside this one see it whole
tell "$into" "$version"
