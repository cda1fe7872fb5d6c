# The gateway as one static binary on a base that has CA certificates, /etc/passwd and nothing to run.
#
# Nothing here is needed at run time but the binary; the two RUN lines of the build stage are the ones
# that deploy/image-check.sh runs and checks without a container engine.
FROM golang:1.26-bookworm AS build
RUN apt-get update -q && apt-get install -y -q --no-install-recommends libcap2-bin
WORKDIR /src
# The modules change less often than the code: a layer of their own.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X github.com/sluice-gateway/sluice.version=${VERSION}" -o /sluice ./deploy/sluice
# A process that is not root may bind 80 and 443 only with this capability in its effective set.
# Kubernetes puts `capabilities.add` into the permitted and the bounding set of the container, not
# into the ambient one, so execve of an ordinary file by uid 65532 ends with an empty effective set.
# The file's own capability (+ep) makes execve keep it. no_new_privs (allowPrivilegeEscalation: false)
# does not stand in the way: it refuses only what the parent did not have, and the runtime has
# it permitted when it executes the entry point. Hence two rules:
#   - the binary is the entry point itself; a shell or an init between would lose the capability;
#   - a container that drops NET_BIND_SERVICE cannot execute this binary at all (EPERM).
RUN setcap cap_net_bind_service=+ep /sluice

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /sluice /sluice
# By number, so that runAsNonRoot can be checked without /etc/passwd.
USER 65532:65532
ENTRYPOINT ["/sluice"]
CMD ["serve"]
