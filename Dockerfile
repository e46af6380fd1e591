# An image in which README's first command has run.
#
#   docker build --tag tracknet .
#   docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/work" tracknet predict match.mp4
FROM python:3.12-slim

# Whoever runs the container may be a user without a home.
ENV PIP_NO_CACHE_DIR=1 KERAS_HOME=/tmp/keras TRACKNET_CACHE=/tmp/tracknet

WORKDIR /keras_tracknet
COPY . .
RUN pip install . && tracknet demo && rm -r runs build

WORKDIR /work
ENTRYPOINT ["tracknet"]
CMD ["--help"]
