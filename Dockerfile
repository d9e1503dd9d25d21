# The service and its run-time dependencies only, those for traces among them. It runs as user 10001 and writes only to
# /data, which only SQLite uses, so it also runs with
#   docker run --init --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges
ARG PYTHON_IMAGE=python:3.13-slim


FROM ${PYTHON_IMAGE} AS build
ENV UV_COMPILE_BYTECODE=1 \
    UV_NO_CACHE=1 \
    UV_NO_PROGRESS=1 \
    UV_PYTHON=/opt/evo-todo/bin/python \
    UV_PYTHON_DOWNLOADS=never \
    UV_SYSTEM_CERTS=1
WORKDIR /build

COPY requirements/build.txt requirements/
RUN python -m venv --without-pip tools \
    && pip --python tools/bin/python install --quiet --disable-pip-version-check --no-cache-dir \
        --no-deps --require-hashes -r requirements/build.txt

COPY requirements/tracing.txt requirements/
RUN python -m venv --without-pip /opt/evo-todo \
    && tools/bin/uv pip install --quiet --no-deps --require-hashes -r requirements/tracing.txt

# Project and dependencies are separate layers, so that a new version changes only the small one.
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN tools/bin/hatchling build --target wheel --directory dist \
    && tools/bin/uv pip install --quiet --offline --no-deps --prefix /build/project dist/*.whl


FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Evo-TODO" \
      org.opencontainers.image.description="Keeps each user's tasks behind Better Auth's tokens" \
      org.opencontainers.image.licenses="MIT"

RUN groupadd --gid 10001 evo-todo \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /data \
        --shell /usr/sbin/nologin evo-todo \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data

COPY --from=build /opt/evo-todo /opt/evo-todo
COPY --from=build /build/project /opt/evo-todo

ENV PATH=/opt/evo-todo/bin:$PATH \
    EVO_TODO_HOST=0.0.0.0

# The official image has no bytecode for Python's own modules, and user 10001 cannot write it: without these few
# megabytes, every start and every health check would compile them again.
RUN python -c "import entrypoints.asgi, entrypoints.server, http.client"

WORKDIR /data
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM

# http.client uses no proxy, whatever the container's environment says.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 CMD ["python", "-Ic", "\
import os; \
from http.client import HTTPConnection; \
service = HTTPConnection('127.0.0.1', os.environ.get('EVO_TODO_PORT', 8000), timeout=3); \
service.request('GET', '/livez'); \
raise SystemExit(service.getresponse().status != 200)"]

ENTRYPOINT ["evo-todo"]
CMD ["serve"]
