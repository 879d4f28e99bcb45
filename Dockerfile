# The service in an image: nothing but Python, what playing and serving need, and a user without rights. No torch.
#
#   docker build -t seq2drum .
#   docker compose up --wait          # compose.yaml says how it is run: read-only, without capabilities
#
# It listens on all addresses of its container, so it starts only with TLS and credentials, or if it is told twice to do
# without (SEQ2DRUM_INSECURE=2). docs/service.md has all settings.

# A tag may mean another image tomorrow. `just build` names the base by its digest: --build-arg BASE=python@sha256:...
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
# All that is installed is in the locks, by hash. Nothing of what builds the package goes into the image.
COPY requirements requirements
RUN python -m venv /opt/seq2drum \
    && /opt/seq2drum/bin/pip install --require-hashes --no-deps -r requirements/server.txt \
    && python -m pip install --require-hashes --no-deps -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY seq2drum seq2drum
COPY server server
COPY client client
COPY packages packages
RUN python -m pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheels . ./packages/generators \
    && /opt/seq2drum/bin/pip install --no-deps --no-index /wheels/*.whl

FROM ${BASE}
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin seq2drum
COPY --from=build /opt/seq2drum /opt/seq2drum
# What it writes is one small file in the folder below, which may be a tmpfs; the root may be read-only.
RUN install -d -m 0700 -o seq2drum -g seq2drum /run/seq2drum
ENV PATH=/opt/seq2drum/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    OMP_NUM_THREADS=1 \
    SEQ2DRUM_HOST=0.0.0.0 \
    SEQ2DRUM_WEB_PORT=50052 \
    SEQ2DRUM_STATE_FILE=/run/seq2drum/server.json
USER seq2drum
WORKDIR /run/seq2drum
EXPOSE 50051 50052
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-m", "client", "--status"]
ENTRYPOINT ["python", "-m", "server"]
