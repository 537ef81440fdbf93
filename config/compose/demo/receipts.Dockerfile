# Receipts, a FastAPI service with the library, and stock, a gRPC one without.   docker build -f config/compose/demo/receipts.Dockerfile .
# Your own service would say `pip install ops-sidecar` where this one copies the sources.
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE} AS build
RUN python3 -m venv /opt/receipts
COPY config/compose/demo/receipts.lock /tmp/
RUN /opt/receipts/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r /tmp/receipts.lock

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/receipts /opt/receipts
COPY ops_lib /srv/ops_lib
COPY config/compose/demo/receipts.py config/compose/demo/stock.py /srv/
ENV PATH=/opt/receipts/bin:$PATH PYTHONPATH=/srv PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
ENTRYPOINT ["python3", "-m", "uvicorn", "receipts:app"]
CMD ["--host", "127.0.0.1", "--port", "8080", "--no-access-log"]
