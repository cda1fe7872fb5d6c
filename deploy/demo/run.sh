#!/usr/bin/env bash
# The demo without a cluster: one echo server as the Pod, one gateway that reads deploy/demo/manifests.
# Usage: deploy/demo/run.sh [path of the sluice binary]
# Runs until Ctrl-C or SIGTERM and leaves no process behind.
set -euo pipefail
cd "$(dirname "$0")/../.."
sluice=${1:-bin/sluice}
gateway=127.0.0.1:30003
metrics_host=127.0.0.1
metrics_port=30004 # listen.metrics of sluice.yaml

pids=()
stop() {
	trap - INT TERM EXIT
	# By pid, never by name: another gateway on this machine is none of our business. Each is waited
	# for; the gateway drains first.
	for pid in "${pids[@]}"; do
		kill -TERM "$pid" 2>/dev/null || true
	done
	for pid in "${pids[@]}"; do
		wait "$pid" 2>/dev/null || true
	done
}
trap stop EXIT
trap 'exit 0' INT TERM

# ready reports whether the gateway's /readyz answers 200. Bash speaks TCP itself, so the demo needs no
# other tool to start.
ready() {
	local status
	{
		exec 3<>"/dev/tcp/$metrics_host/$metrics_port" &&
			printf 'GET /readyz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$metrics_host" >&3 &&
			read -r -t 2 _ status _ <&3
	} 2>/dev/null || return 1
	exec 3>&-
	[ "$status" = 200 ]
}

"$sluice" echo --listen 127.0.0.1:6789 --name test-server &
pids+=($!)
"$sluice" serve -c deploy/demo/sluice.yaml --manifests deploy/demo/manifests &
pids+=($!)

deadline=$((SECONDS + 15))
until ready; do
	for pid in "${pids[@]}"; do
		if ! kill -0 "$pid" 2>/dev/null; then
			echo "demo: a process ended at start; its message is above" >&2
			exit 1
		fi
	done
	if ((SECONDS >= deadline)); then
		echo "demo: the gateway was not ready within 15 s" >&2
		exit 1
	fi
	sleep 0.1
done

cat <<EOF

The gateway listens on $gateway. Try:

  curl -H 'Host: test.com' 'http://$gateway/api/v1/greet/hello?content=world'   # answered by the backend
  curl -i -H 'Host: test.com' 'http://$gateway/api/v2/greet/hello?content=world'   # 404: no Route
  curl 'http://$metrics_host:$metrics_port/metrics'
  bin/sluice explain 'http://test.com/api/v1/greet/hello'   # which way a request goes, and why

Edit deploy/demo/manifests/ingress.yaml while it runs. Ctrl-C stops both.
EOF

# Where one of the two ends, the other has no purpose left.
wait -n "${pids[@]}" || true
echo "demo: a process ended; its message is above" >&2
exit 1
