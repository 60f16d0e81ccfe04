# The chat, every role: nottermost chat run [--role ROLE]. Built from the locked packages; runs as nobody in particular.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements/cluster.txt requirements/
RUN python -m venv /opt/nottermost \
    && /opt/nottermost/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/cluster.txt
COPY conventions conventions
COPY services/reference-chat services/reference-chat
COPY cli cli
RUN /opt/nottermost/bin/pip install --no-cache-dir --no-deps --no-index --no-build-isolation \
    ./conventions ./services/reference-chat ./cli

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 chat \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data chat \
    && install -d -o chat -g chat /data
COPY --from=build /opt/nottermost /opt/nottermost
ENV PATH=/opt/nottermost/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NOTTERMOST_HOST=0.0.0.0 \
    NOTTERMOST_DATA=/data
USER 10001:10001
VOLUME /data
EXPOSE 3000
STOPSIGNAL SIGTERM
CMD ["nottermost", "chat", "run"]
