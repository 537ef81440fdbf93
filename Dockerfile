# The sidecar's image. It needs no file: the environment can set everything.
#
#   docker build -t ops-sidecar .
#   docker run --rm --read-only --network host -e OPS_SIDECAR_INBOUND__APP=http://127.0.0.1:8080 \
#       -e OPS_SIDECAR_INBOUND__PROPAGATION__INJECT=b3multi ops-sidecar
#
# Or by a mounted file:
#
#   docker run --rm --read-only --network host -v "$PWD/config/sidecar.yaml:/etc/ops-sidecar.yaml:ro" \
#       -e OPS_SIDECAR_CONFIG=/etc/ops-sidecar.yaml ops-sidecar
#
# `make image` builds it, with its revision; PLATFORMS=linux/amd64,linux/arm64 for several (nothing here is of one platform).
# `make pin-image` pins the base to the digest that its registry has now.
# `--build-arg PYTHON_IMAGE=python:3.14-slim`: a newer Python, which takes less CPU (docs/decisions/007-compiled.md).
# Both stages share one base, so that the virtual environment finds the same Python in both.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/ops-sidecar
WORKDIR /build

# First what changes rarely: the dependencies, by hash, wheels only.
COPY requirements/sidecar.lock requirements/
RUN /opt/ops-sidecar/bin/pip install --require-hashes --only-binary :all: -r requirements/sidecar.lock

# The data plane is compiled (docs/decisions/007-compiled.md), in an environment that stays in this stage, like the compiler.
# `--build-arg COMPILE=0` leaves it out: the same sidecar, slower. The distribution's own Python has its headers in python3-dev;
# the public image brings them along.
ARG COMPILE=1
COPY requirements/compile.lock requirements/
RUN python3 -m venv /opt/compile \
 && /opt/compile/bin/pip install --require-hashes --only-binary :all: -r requirements/compile.lock
# The compiler is whatever the base's Debian has, and stays in this stage: a version pinned here would be gone next month.
# hadolint ignore=DL3008
RUN if [ "$COMPILE" != 0 ]; then \
      headers=$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h \
      && { [ -e "$headers" ] || dev=python3-dev; } \
      && apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev ${dev:+"$dev"}; \
    fi

# Then the sidecar. What only the build needed goes, pip itself last; `pip check` says whether anything is missing now.
# What is left is written down: /opt/ops-sidecar/share/sbom.cdx.json (CycloneDX).
ARG PYTHON_IMAGE
COPY .ci/sbom .ci/
COPY pyproject.toml hatch_build.py README.md LICENSE ops_sidecar.py ./
COPY ops_lib ops_lib
COPY proxy proxy
RUN OPS_SIDECAR_COMPILE=$COMPILE /opt/compile/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheel . \
 && /opt/ops-sidecar/bin/pip install --no-deps wheel/*.whl \
 && /opt/ops-sidecar/bin/pip uninstall --yes hatchling pathspec pluggy tomlkit trove-classifiers \
 && /opt/ops-sidecar/bin/pip check \
 && /opt/ops-sidecar/bin/pip uninstall --yes pip \
 && mkdir /opt/ops-sidecar/share \
 && /opt/ops-sidecar/bin/python3 .ci/sbom requirements/sidecar.lock "$PYTHON_IMAGE" > /opt/ops-sidecar/share/sbom.cdx.json
# Debug symbols are a third of what wheels bring. (The linker's tools come with the compiler.)
RUN if command -v strip > /dev/null; then find /opt/ops-sidecar -name '*.so' -exec strip --strip-unneeded {} +; fi

FROM ${PYTHON_IMAGE}
ARG PYTHON_IMAGE
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ops-sidecar" \
      org.opencontainers.image.description="Carries trace context and session across services that speak different formats." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"

# For `ops-sidecar redirect`, in an init container (docs/kubernetes.md#redirection). A pinned version would be gone next month.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends nftables \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/apt /var/log/dpkg.log

COPY --from=build /opt/ops-sidecar /opt/ops-sidecar
ENV PATH=/opt/ops-sidecar/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

# A number, so that Kubernetes' runAsNonRoot can see that it is not root. Nothing is ever written: run it --read-only.
USER 65532:65532
# Inbound, and the console. Outbound (9081) and admin (9082) listen on loopback, for the app in this network namespace.
EXPOSE 9080 9083
# TERM drains: requests in flight finish. Give the container longer than drain.timeout_s (30 s) to stop.
STOPSIGNAL SIGTERM
# It asks where the flags, the environment or the file put the admin listener, and costs 0.04 s of CPU.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s CMD ["ops-sidecar", "health"]
ENTRYPOINT ["ops-sidecar"]
CMD ["run"]
