# shellcheck shell=bash
# Apache Kafka from its Maven artefacts: one node, KRaft, no ZooKeeper.

KAFKA_VERSION=${SENTINEL_KAFKA_VERSION:-3.9.1}
KAFKA_PORT=${SENTINEL_KAFKA_PORT:-19092}
KAFKA_CONTROLLER_PORT=${SENTINEL_KAFKA_CONTROLLER_PORT:-19093}
KAFKA_LIB=$CACHE_DIR/kafka-$KAFKA_VERSION

kafka_ports() { printf '%s\n' "$KAFKA_PORT" "$KAFKA_CONTROLLER_PORT"; }

# java_works: Kafka 3.9 brokers run on Java 17 and later.
java_works() {
  local line
  have java || return 1
  line=$(java -version 2>&1 | grep -m1 'version "') || return 1
  line=${line#*\"}
  line=${line%%[.\"]*}
  [[ $line =~ ^[0-9]+$ ]] && ((line >= 17))
}

kafka_install() {
  local want=() log=$STATE_DIR/kafka.install.log
  java_works || want+=(openjdk-17-jre-headless)
  [[ -d $KAFKA_LIB ]] || have mvn || want+=(maven)
  if ((${#want[@]})); then
    apt_install kafka "${want[@]}" || return 1
  fi
  [[ -d $KAFKA_LIB ]] && return 0
  say kafka "fetching Apache Kafka $KAFKA_VERSION, once (Maven)"
  rm -rf "$KAFKA_LIB.new"
  mkdir -p "$CACHE_DIR"
  if ! nice -n 10 mvn -q -B -f "$HERE/kafka/pom.xml" "-Dkafka.version=$KAFKA_VERSION" \
    dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$KAFKA_LIB.new" >"$log" 2>&1 9>&-; then
    say kafka "Maven failed (no way to its repository?); the end of $log:"
    tail -n 10 "$log" >&2
    return 1
  fi
  mv "$KAFKA_LIB.new" "$KAFKA_LIB"
}

kafka_start() {
  local dir=$STATE_DIR/kafka id
  sed -e "s|@DIR@|$dir|g" -e "s|@PORT@|$KAFKA_PORT|g" -e "s|@CONTROLLER_PORT@|$KAFKA_CONTROLLER_PORT|g" \
    "$HERE/kafka/server.properties" >"$dir/server.properties"
  local java=(java -Xms128m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.awt.headless=true
    "-Dlog4j.configuration=file:$HERE/kafka/log4j.properties" "-Dkafka.logs.dir=$dir/logs" -cp "$KAFKA_LIB/*")
  if [[ ! -f $dir/data/meta.properties ]]; then
    # A cluster id is 16 random bytes in URL-safe base64. It must not begin with
    # a dash, which the tool would take for an option.
    id=S$(head -c 15 /dev/urandom | base64 | tr '+/' '-_')w
    if ! "${java[@]}" kafka.tools.StorageTool format --ignore-formatted -t "$id" -c "$dir/server.properties" >>"$STATE_DIR/kafka.log" 2>&1 9>&-; then
      say kafka "cannot format its data folder; the end of $STATE_DIR/kafka.log:"
      tail -n 10 "$STATE_DIR/kafka.log" >&2
      return 1
    fi
  fi
  launch kafka "${java[@]}" kafka.Kafka "$dir/server.properties"
}

# kafka_ready asks for the cluster's metadata: the broker listens long before
# it has joined its own cluster. Request: length 14, api 3 (Metadata) version 0,
# correlation 1, no client id, no topics. The answer's bytes 8 to 11 are the
# number of brokers.
kafka_ready() (
  exec 3<>"/dev/tcp/127.0.0.1/$KAFKA_PORT" || exit 1
  printf '\0\0\0\16\0\3\0\0\0\0\0\1\377\377\0\0\0\0' >&3
  answer=$(timeout 5 head -c 12 <&3 | od -An -v -tx1 | tr -d ' \n') || exit 1
  [[ ${answer:16} == 00000001 ]]
) 2>/dev/null

kafka_where() { printf '127.0.0.1:%s\n' "$KAFKA_PORT"; }

kafka_env() { printf 'export SENTINEL_KAFKA_BROKERS=127.0.0.1:%s\n' "$KAFKA_PORT"; }
