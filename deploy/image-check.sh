#!/usr/bin/env bash
# Runs the build stage of the Dockerfile on this machine and checks what it makes: static, under
# 60 MB, and able to bind a port below 1024 in exactly the circumstances of deploy/base/daemonset.yaml.
# Usage: deploy/image-check.sh [version]
# Needs root (or passwordless namespaces) for setcap and unshare.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:-dev}
limit=$((60 * 1000 * 1000))
# Not in a folder that other users cannot enter: the binary is executed as another user below.
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
chmod 755 "$out"

# The commands come from the Dockerfile, so that the two cannot drift apart.
build=$(sed -n 's/^RUN \(CGO_ENABLED=0 go build .*\)$/\1/p' Dockerfile)
setcap=$(sed -n 's/^RUN \(setcap .*\)$/\1/p' Dockerfile)
if [ -z "$build" ] || [ -z "$setcap" ]; then
	echo "image-check: the Dockerfile has no go build or no setcap line" >&2
	exit 1
fi
# "/sluice" is in the names of packages, too: only the file is put elsewhere.
VERSION=$version bash -c "${build/-o \/sluice /-o $out/sluice }"
bash -c "${setcap/ \/sluice/ $out/sluice}"
chmod 755 "$out/sluice"

if ldd "$out/sluice" >/dev/null 2>&1; then
	echo "image-check: the binary needs shared libraries" >&2
	exit 1
fi
file -b "$out/sluice" | grep -q 'statically linked'
size=$(stat -c %s "$out/sluice")
if ((size > limit)); then
	echo "image-check: the binary has $size bytes, over $limit" >&2
	exit 1
fi
# The linker is silent where the variable to set does not exist.
"$out/sluice" version | grep -F "sluice $version "

# As a container runtime does for the DaemonSet: uid 65532, NET_BIND_SERVICE in the permitted and the
# bounding set, nothing ambient or inheritable, no_new_privs. In a network namespace of its own, where
# port 80 is free and 1024 is the first unprivileged port. Killed by pid.
# shellcheck disable=SC2016
unshare -n bash -euc '
	ip link set lo up
	setpriv --no-new-privs --reuid 65532 --regid 65532 --clear-groups \
		--inh-caps=-all --bounding-set=-all,+net_bind_service \
		"$1" echo --listen 127.0.0.1:80 --name image-check &
	pid=$!
	trap "kill $pid 2>/dev/null || true; wait $pid 2>/dev/null || true" EXIT
	for _ in $(seq 50); do
		if (exec 3<>/dev/tcp/127.0.0.1/80) 2>/dev/null; then exit 0; fi
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	echo "image-check: uid 65532 cannot bind port 80" >&2
	exit 1
' bash "$out/sluice"
echo "image-check: static, $((size / 1000000)) MB, binds port 80 as uid 65532"
