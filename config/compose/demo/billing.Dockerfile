# Billing, a Node.js service: Debian's Node.js and one file.   docker build -f billing.Dockerfile .
# The base is the sidecar's own, which is a Debian: so the demo needs one base image.
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE}
# What Debian has now; a version pinned here would be gone next month.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends nodejs \
 && rm -rf /var/lib/apt/lists/*
COPY billing.js /srv/
USER 65532:65532
ENTRYPOINT ["node", "/srv/billing.js"]
