# SPDX-License-Identifier: Apache-2.0
# Seamlab on a JVM. Not yet run: there was no container daemon where it was written.
#
#   docker build -t seamlab .
#   docker run --rm -p 9870:9870 -p 9871:9871 seamlab

FROM eclipse-temurin:25-jdk AS build
# Any Maven will do: ./mvnw fetches the one it wants with it.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends maven \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN ./mvnw --batch-mode -DskipTests package -pl vmm -am

FROM eclipse-temurin:25-jre
WORKDIR /opt/seamlab
COPY --from=build /src/vmm/target/quarkus-app/ ./
USER 10001:10001
# gRPC; metrics over HTTP.
EXPOSE 9870 9871
ENTRYPOINT ["java", "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow", "-jar", "quarkus-run.jar"]
# Inside a container, "only this host" would be nobody; who reaches the port is decided where it is published (or by
# --tls-cert, --tls-key and --token-file instead of --insecure). Other commands work too: docker run --rm seamlab demo
CMD ["serve", "--host=0.0.0.0", "--insecure"]
