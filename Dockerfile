# Can be replaced by any Debian or Ubuntu image whose python3 is 3.11 or newer: --build-arg BASE=...
# A release pins it, as docs/install.md says: --build-arg BASE=docker.io/library/debian@sha256:...
ARG BASE=docker.io/library/debian:bookworm-slim

# What the exporter runs on. The builder starts from it too, so that the virtual environment is made by the very
# interpreter that runs it later.
FROM ${BASE} AS runtime
# The time that the engine gives all files, where it makes reproducible images. It is named here so that layers which
# are kept from another commit are not used.
ARG SOURCE_DATE_EPOCH=1580601600
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates python3 \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache \
        /var/log/apt /var/log/*.log
# Reproducible builds set the times of all files. Bytecode that is compared with the time of its source would then be
# compiled again at each start, so this bytecode is not compared. The seed keeps the order of sets in it.
RUN PYTHONHASHSEED=0 python3 -m compileall -q -f --invalidation-mode unchecked-hash /usr/lib/python3*

FROM runtime AS builder
# The time of the files in wheels that are built here; any will do that does not change.
ENV SOURCE_DATE_EPOCH=1580601600
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
COPY tools/relax_sslyze.py tools/
COPY exporter exporter
COPY docs/man docs/man
COPY docs/runbooks docs/runbooks
COPY prometheus/tls-posture.rules.yaml prometheus/
# The backend is installed already, and the dependencies too: this step needs no network.
RUN /opt/build/bin/pip wheel --disable-pip-version-check --no-index --no-deps --no-build-isolation \
        --wheel-dir /opt/dist . \
    && /opt/build/bin/pip --python /opt/venv/bin/python install --disable-pip-version-check --no-compile \
        --no-index --no-deps /opt/dist/*.whl \
    && /opt/venv/bin/python tools/relax_sslyze.py \
    && /opt/build/bin/pip --python /opt/venv/bin/python check
# Leaves bytecode of what the program and its workers import, which halves the time to start; that of all else would be
# ballast. What is imported shows in the bytecode that Python writes; it is then replaced as above.
RUN find /opt/venv -name __pycache__ -prune -exec rm -r {} + \
    && /opt/venv/bin/tls-posture-exporter policies list > /dev/null \
    && /opt/venv/bin/python -c "import exporter.daemon, exporter.cli.serve, exporter.cli.healthcheck, exporter.workers.attacks" \
    && find /opt/venv -name '*.pyc' | sed 's,/__pycache__/\([^/]*\)\.cpython-[0-9]*\.pyc$,/\1.py,' | sort > /tmp/imported \
    && PYTHONHASHSEED=0 /opt/venv/bin/python -m compileall -q -f --invalidation-mode unchecked-hash -i /tmp/imported

# The bill of materials: what is in /opt/venv, and the Debian packages of `runtime`.
FROM runtime AS bill
COPY --from=builder /opt/venv /opt/venv
WORKDIR /src
COPY requirements.lock ./
COPY tools/supply tools/supply
ARG SOURCE_DATE_EPOCH=
RUN /opt/venv/bin/python -B -m tools.supply.sbom image > /sbom.cdx.json

FROM runtime
COPY --from=builder /opt/venv /opt/venv
COPY --from=bill /sbom.cdx.json /usr/share/doc/tls-posture-exporter/
# No bytecode, because nothing writes to the file system at run time; no buffering, so that logs appear at once.
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# For --storage.path: a new volume of an engine gets the owner that the folder has in the image.
COPY --from=builder --chown=65532:65532 /opt/state/ /var/lib/
# By number, so that Kubernetes' runAsNonRoot can tell that it is not root. No such user has to exist.
USER 65532:65532
EXPOSE 19443
# It asks where the first process of the container listens.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["tls-posture-exporter", "healthcheck"]
ENTRYPOINT ["tls-posture-exporter"]
CMD ["serve", "--config.file=/etc/tls-posture-exporter/config.yaml"]
# Last, because they differ from build to build.
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="TLS Posture Exporter" \
      org.opencontainers.image.description="Prometheus exporter for the transport security of TLS services" \
      org.opencontainers.image.licenses="AGPL-3.0-or-later" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.created="${CREATED}"
