#!/usr/bin/env bash
# Builds the image, brings docker-compose.yml up, and checks what it promises (check.py). Ends everything that it started.
#   tests/compose/run.sh [ENGINE]
# ENGINE is a script that starts a Docker engine where none runs: `ENGINE up` prints the environment to use, `ENGINE down` ends it.
# With neither a running engine nor that script, the test is skipped by name, exit 0.
set -euo pipefail
cd "$(dirname "$0")/../.."
engine=${1:-}
started_engine=

docker=/usr/bin/docker
[ -x "$docker" ] || docker=$(command -v docker || true)

running() { [ -n "$docker" ] && "$docker" info >/dev/null 2>&1; }

if ! running; then
  if [ ! -x "$engine" ]; then
    echo "compose-test: skipped, no Docker engine runs here${engine:+ and there is no $engine}"
    exit 0
  fi
  # Where an engine runs already, `up` only says how to reach it; then it is not ours to end.
  ps -C dockerd -o stat= | grep -qv '^Z' || started_engine=yes
  environment=$("$engine" up)
  eval "$environment"
  docker=/usr/bin/docker
fi

compose=(docker-compose)
command -v docker-compose >/dev/null || compose=("$docker" compose)

export COMPOSE_PROJECT_NAME=ops-sidecar-test-$$ SHOP_PORT=0
finish() {
  code=$?
  trap - EXIT
  if [ $code -ne 0 ]; then "${compose[@]}" ps --all; "${compose[@]}" logs --tail 40; fi || true
  "${compose[@]}" down --timeout 5 --volumes >/dev/null 2>&1 || true
  if [ -n "$started_engine" ]; then "$engine" down || true; fi
  exit $code
}
trap finish EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

echo "compose-test: build"
DOCKER_BUILDKIT=1 "$docker" build --quiet --network=host -t ops-sidecar:local . >/dev/null
echo "compose-test: up"
"${compose[@]}" up --no-build --detach --wait --wait-timeout 90 >/dev/null 2>&1
python3 tests/compose/check.py "$docker" "${compose[@]}"
