# The image of the exporter: no shell scripts, no package manager of its own, an unprivileged user, nothing it writes to.
#
#   docker build --build-arg VERSION=$(git describe --tags) --build-arg REVISION=$(git rev-parse HEAD) -t REGISTRY/kubevirt-upgrade-exporter .
#
# For a release, pin the base by digest: --build-arg BASE=python:3.13-slim@sha256:...
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/ requirements/
# Exactly what is locked, each file checked by its hash; first, so that this layer changes with the lock only.
RUN python3 -m venv --without-pip /opt/exporter \
    && python3 -m pip --python /opt/exporter/bin/python3 install \
        --require-hashes --only-binary :all: --requirement requirements/run.txt
# The build backend, from the same lock as the tests'.
RUN sed -n '/^flit-core==/,/[^\\]$/p' requirements/dev.txt > requirements/backend.txt \
    && python3 -m pip install --target /opt/build --require-hashes --requirement requirements/backend.txt
COPY LICENSE README.md pyproject.toml ./
COPY exporter/ exporter/
RUN PYTHONPATH=/opt/build python3 -m pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
    && python3 -m pip --python /opt/exporter/bin/python3 install --no-deps --no-index /dist/*.whl

FROM ${BASE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="kubevirt-upgrade-exporter" \
      org.opencontainers.image.description="Tells, with numbers, whether a KubeVirt upgrade goes well, and proves afterwards that it went well." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/kubevirt-upgrade-exporter/kubevirt-upgrade-exporter" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/exporter /opt/exporter
ENV PATH=/opt/exporter/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number: Kubernetes cannot tell whether a name is root.
USER 65532:65532
EXPOSE 10388
ENTRYPOINT ["kubevirt-upgrade-exporter"]
CMD ["run"]
