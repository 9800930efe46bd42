# The image of the actions: one static binary, the certificates of public authorities, and a /tmp to spool layers in.
# GitHub builds it from the repository's root; each action.yml passes the action's name as the argument.
ARG GO=golang:1.26
FROM ${GO} AS build
WORKDIR /src
# Modules are fetched by the build itself: only what the binary imports, not all that the tests and tools need.
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /root-fs/action ./cmd/action \
 && mkdir -p -m 1777 /root-fs/tmp \
 && mkdir -p /root-fs/etc/ssl/certs \
 && cp /etc/ssl/certs/ca-certificates.crt /root-fs/etc/ssl/certs/

FROM scratch
COPY --from=build /root-fs/ /
# The runner sets HOME to a mounted folder; elsewhere nothing may depend on one.
ENV TMPDIR=/tmp
ENTRYPOINT ["/action"]
