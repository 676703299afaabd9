# syntax=docker/dockerfile:1
# One image for every role: web, worker, relay, gateway, and each command of manage.py. See docs/deploying.md.
#
# The base is named by its tag. To pin the bytes as well, name it by digest, which your registry tells you:
#   docker build --build-arg PYTHON_IMAGE=python:3.13.16-slim-bookworm@sha256:... .
ARG PYTHON_IMAGE=python:3.13.16-slim-bookworm

FROM ${PYTHON_IMAGE} AS packages
# Wheels alone, each with its hash: nothing is compiled, so there is nothing to compile with here either. An index or a
# mirror of your own comes as a secret that stays out of the image: --secret id=pip,src=pip.conf
COPY requirements.lock /build/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --disable-pip-version-check \
       --only-binary :all: --require-hashes --requirement /build/requirements.lock
COPY contracts /app/contracts
COPY runtime /app/runtime
COPY apps /app/apps
COPY config /app/config
COPY manage.py /app/
COPY docs/openapi.json docs/runbook.md /app/docs/
# By contents, not by time: the same code gives the same bytes, and nothing is compiled at a start.
RUN /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib /app

FROM ${PYTHON_IMAGE}
ARG PYTHON_IMAGE
# A program that installs others has no business here.
RUN python -m pip uninstall --yes --quiet --root-user-action ignore pip \
    && groupadd --gid 10001 mitosis \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/mitosis --no-create-home --shell /usr/sbin/nologin mitosis \
    && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/mitosis
COPY --from=packages /opt/venv /opt/venv
COPY --from=packages /app /app
# LOG_FORMAT: one line of JSON each. PORT and INSIDE_PORT: for customers, and for neighbours and figures.
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    STATE_DIR=/var/lib/mitosis \
    LOG_FORMAT=json \
    PORT=8000 \
    INSIDE_PORT=8001
WORKDIR /app
USER 10001:10001
EXPOSE 8000 8001
# Whatever the role is: it is asked whether it lives, not whether its servers do.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "config.roles", "healthy"]
ENTRYPOINT ["python", "-m", "config.roles"]
CMD ["web"]
# Of the commit and not of the moment, so that the same commit has the same labels: see docs/deploying.md.
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="Mitosis" \
      org.opencontainers.image.description="A commerce back end that comes apart into services by configuration" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"
