# Can be replaced by any Debian or Ubuntu image whose python3 is 3.11 or newer: --build-arg BASE=...
ARG BASE=docker.io/library/debian:bookworm-slim

# What the exporter runs on. The builder starts from it too, so that the virtual environment is made by the very
# interpreter that runs it later.
FROM ${BASE} AS runtime
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates python3 \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache \
        /var/log/apt /var/log/*.log

FROM runtime AS builder
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-venv
# pip and the build backend live in /opt/build and fill /opt/venv from outside: nothing has to be removed from that.
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/venv
RUN install --directory /opt/state/tls-posture-exporter
WORKDIR /src
# Both mounts are optional, and for this step only: a pip configuration (a mirror, say, and the password for it) and a
# certificate authority that it can name as "cert = /run/secrets/ca". Neither gets into a layer.
# Only wheels, because building one would fetch a build backend that no hash covers. sslyze has none: its wheel is made
# with the backend of our own lock.
COPY requirements.lock requirements-build.lock ./
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca,target=/run/secrets/ca \
    set -- --disable-pip-version-check --no-cache-dir --require-hashes --no-deps --only-binary :all: \
    && sed -n '/^sslyze==/,/# via/p' requirements.lock > /tmp/sslyze.lock \
    && sed '/^sslyze==/,/# via/d' requirements.lock > /tmp/wheels.lock \
    && /opt/build/bin/pip install --no-compile "$@" -r requirements-build.lock \
    && /opt/build/bin/pip wheel --no-build-isolation "$@" --no-binary sslyze --wheel-dir /opt/dist -r /tmp/sslyze.lock \
    && /opt/build/bin/pip --python /opt/venv/bin/python install --no-compile "$@" -r /tmp/wheels.lock
COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter
COPY docs/man docs/man
COPY docs/runbooks docs/runbooks
COPY prometheus/tls-posture.rules.yaml prometheus/
# The backend is installed already, and the dependencies too: this step needs no network.
RUN /opt/build/bin/pip wheel --disable-pip-version-check --no-index --no-deps --no-build-isolation \
        --wheel-dir /opt/dist . \
    && /opt/build/bin/pip --python /opt/venv/bin/python install --disable-pip-version-check --no-compile \
        --no-index --no-deps /opt/dist/*.whl
# Leaves bytecode of what the program and its workers import, which halves the time to start; that of all else would be
# ballast.
RUN find /opt/venv -name __pycache__ -prune -exec rm -r {} + \
    && /opt/venv/bin/tls-posture-exporter --version \
    && /opt/venv/bin/python -c "import exporter.workers.attacks"

FROM runtime
COPY --from=builder /opt/venv /opt/venv
# No bytecode, because nothing writes to the file system at run time; no buffering, so that logs appear at once.
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# For --storage.path: a new volume of an engine gets the owner that the folder has in the image.
COPY --from=builder --chown=65532:65532 /opt/state/ /var/lib/
# By number, so that Kubernetes' runAsNonRoot can tell that it is not root. No such user has to exist.
USER 65532:65532
EXPOSE 19443
# http.client and not urllib: that would ask a proxy when the container has one configured.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python3", "-I", "-c", "import http.client as h, sys; c = h.HTTPConnection('127.0.0.1', 19443, timeout=4); c.request('GET', '/-/healthy'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["tls-posture-exporter"]
CMD ["serve", "--config.file=/etc/tls-posture-exporter/config.yaml"]
# Last, because they differ from build to build.
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="TLS Posture Exporter" \
      org.opencontainers.image.description="Prometheus exporter for the transport security of TLS services" \
      org.opencontainers.image.licenses="AGPL-3.0-or-later" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
