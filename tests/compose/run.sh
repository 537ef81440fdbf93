#!/usr/bin/env bash
# Builds the image, brings each composition up, and checks what it promises. Ends everything that it started.
#   tests/compose/run.sh [ENGINE [CHECK...]]       CHECK: image demo minimal ... (default: all of them)
# ENGINE is a script that starts a Docker engine where none runs: `ENGINE up` prints the environment to use, `ENGINE down` ends it.
# With neither a running engine nor that script, the test is skipped by name, exit 0.
# ARM64_BASE is an image of Python for linux/arm64 (python:3.13-slim, where a registry answers): the check arm64 needs it, and emulation.
# KEEP_IMAGES=1 does not build those that are there. CHECK_PYTHON runs the checks: one with websockets can drive a browser.
set -euo pipefail
cd "$(dirname "$0")/../.."
engine=${1:-}
[ $# -gt 0 ] && shift
checks=("$@")
[ ${#checks[@]} -gt 0 ] || checks=(image demo minimal migration collector jaeger monitoring systemd arm64)
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

# Every published port is one that is free.
export SHOP_PORT=0 CONSOLE_PORT=0 APP_PORT=0 PROMETHEUS_PORT=0
current=()
env_file=
down() {
  [ ${#current[@]} -eq 0 ] || "${current[@]}" ${env_file:+--env-file "$env_file"} down --timeout 5 --volumes >/dev/null 2>&1 || true
  current=()
}
finish() {
  code=$?
  trap - EXIT
  if [ $code -ne 0 ] && [ ${#current[@]} -gt 0 ]; then "${current[@]}" ps --all; "${current[@]}" logs --tail 40; fi || true
  down
  if [ -n "$started_engine" ]; then "$engine" down || true; fi
  exit $code
}
trap finish EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

build() { # TAG DOCKERFILE CONTEXT [OPTION...]
  if [ -n "${KEEP_IMAGES:-}" ] && "$docker" image inspect "$1" >/dev/null 2>&1; then return; fi
  echo "compose-test: build $1"
  DOCKER_BUILDKIT=1 "$docker" build --quiet --network=host "${@:4}" -t "$1" -f "$2" "$3" >/dev/null
}

# Compose takes variables from this file where a composition has steps.
first_step() { case $1 in migration) echo config/compose/migration/1-shadow.env ;; esac; }

composed() { # NAME FILE...
  name=$1
  shift
  current=("${compose[@]}" --project-name "ops-sidecar-test-$$-$name")
  for file in "$@"; do current+=(--file "$file"); done
  echo "compose-test: up $name"
  env_file=$(first_step "$name")
  "${current[@]}" ${env_file:+--env-file "$env_file"} up --no-build --detach --wait --wait-timeout 120 >/dev/null 2>&1
  echo "compose-test: $name was up after $((SECONDS - began)) s"
  "${CHECK_PYTHON:-python3}" "tests/compose/$name.py" "$docker" "${current[@]}"
  down
}

# The compositions run the image that the check asks for, under the name that they know.
compiled() {
  build ops-sidecar:local Dockerfile .
  "$docker" tag ops-sidecar:local ops-sidecar-demo:local
}
pure() { # as the compositions build it themselves
  build ops-sidecar-pure:local Dockerfile . --build-arg COMPILE=0
  "$docker" tag ops-sidecar-pure:local ops-sidecar-demo:local
}

for check in "${checks[@]}"; do
  began=$SECONDS
  case $check in
    demo) pure ;;
    arm64) ;;
    *) compiled ;;
  esac
  case $check in
    image)
      build ops-sidecar-inject:local config/kubernetes/function/Dockerfile config/kubernetes/function
      python3 tests/compose/image.py "$docker"
      ;;
    demo)
      build ops-sidecar-demo-billing:local config/compose/demo/billing.Dockerfile config/compose/demo
      build ops-sidecar-demo-receipts:local config/compose/demo/receipts.Dockerfile .
      composed demo docker-compose.yml
      ;;
    arm64) # under emulation, so without the compiler
      if [ -z "${ARM64_BASE:-}" ] || ! grep -qs enabled /proc/sys/fs/binfmt_misc/qemu-aarch64; then
        echo "compose-test: arm64 skipped, it needs ARM64_BASE and an emulation of aarch64 in binfmt_misc"
        continue
      fi
      build ops-sidecar-arm64:local Dockerfile . --platform linux/arm64 --build-arg "PYTHON_IMAGE=$ARM64_BASE" --build-arg COMPILE=0
      python3 tests/compose/arm64.py "$docker"
      ;;
    systemd)
      build ops-sidecar-demo-systemd:local tests/compose/systemd.Dockerfile config/systemd
      python3 tests/compose/systemd.py "$docker"
      ;;
    monitoring)
      build ops-sidecar-demo-prometheus:local config/prometheus/Dockerfile config/prometheus
      composed monitoring config/compose/monitoring.yml
      ;;
    collector | jaeger) # their images come from other registries
      COMPOSE_PROFILES=$check composed "$check" "config/compose/$check.yml" "tests/compose/$check.stand-in.yml"
      ;;
    *)
      composed "$check" "config/compose/$check.yml"
      ;;
  esac
done
