#!/usr/bin/env bash
# A cluster of Ray on this machine: a head and N workers. Containers where Docker runs and the image is
# there (docker build -t liminal-ray -f deploy/ray/Dockerfile .), else processes on loopback addresses, the
# head on 127.0.0.2.
#
#   docker/ray-workers.sh start N     prints the address when all nodes are there; again with another N: adds
#                                     workers, or takes the last ones away; a head that died takes its cluster
#                                     along, and all nodes are begun anew
#   docker/ray-workers.sh status      the nodes, one a line; exits 1 when there are none
#   docker/ray-workers.sh stop        ends what start began, and nothing else
#
# Ray's ports ask for a token: RAY_AUTH_TOKEN or the file RAY_AUTH_TOKEN_PATH where they are set, else, of
# processes, the user's own in ~/.ray/auth_token, and of containers one in RAY_WORKERS_FOLDER/token. It is made
# where there is none. RAY_AUTH_MODE=disabled does without.
#
# From the environment: RAY (the program ray; that of build/ray-venv where it is installed),
# RAY_WORKERS_FOLDER (what runs, and logs; data/ray-workers), RAY_WORKERS_PORT (6379; the next one too),
# RAY_WORKERS_DASHBOARD_PORT (8265), RAY_SERVE_HAPROXY_STATS_PORT (8404) and RAY_SERVE_HAPROXY_METRICS_PORT (9101;
# where one of these is taken, nothing is started), RAY_WORKERS_CPUS (of each node; 2), RAY_WORKERS_KIND (processes or
# containers, instead of looking for Docker).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(realpath -m "${RAY_WORKERS_FOLDER:-$root/data/ray-workers}")
port=${RAY_WORKERS_PORT:-6379}
dashboard=${RAY_WORKERS_DASHBOARD_PORT:-8265}
cpus=${RAY_WORKERS_CPUS:-2}
image=liminal-ray network=liminal-ray
started='Ray runtime started' # what `ray start` says when its node is there

# Ingress replicas answer through HAProxy; nothing is reported to anybody.
export RAY_SERVE_THROUGHPUT_OPTIMIZED=${RAY_SERVE_THROUGHPUT_OPTIMIZED:-1}
export RAY_SERVE_ENABLE_HA_PROXY=${RAY_SERVE_ENABLE_HA_PROXY:-1}
# One that died is looked for every second: Ray's own ten make it half a minute.
export RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S=${RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S:-1}
# By its file HAProxy is known at the end: it is in no node's process group, and may outlive its node.
export RAY_SERVE_HAPROXY_CONFIG_FILE_LOC=${RAY_SERVE_HAPROXY_CONFIG_FILE_LOC:-$folder/haproxy/haproxy.cfg}
export RAY_USAGE_STATS_ENABLED=${RAY_USAGE_STATS_ENABLED:-0}
# Without being told, `ray start` asks for a token only where one was made before.
export RAY_AUTH_MODE=${RAY_AUTH_MODE:-token}

fail() { echo "ray-workers: $*" >&2; exit 1; }

if [ -z "${RAY:-}" ]; then
  RAY=ray
  [ ! -x "$root/build/ray-venv/bin/ray" ] || RAY=$root/build/ray-venv/bin/ray
fi

kind=${RAY_WORKERS_KIND:-}
if [ -z "$kind" ]; then
  kind=processes
  if command -v docker >/dev/null && docker image inspect "$image" >/dev/null 2>&1; then
    kind=containers
  fi
fi

# --- Nodes as processes: NAME.pid in the folder, of a `ray start --block`, which takes its node along.
processes_runs() { # NAME
  local pid
  pid=$(cat "$folder/$1.pid" 2>/dev/null) && [ -d "/proc/$pid" ] &&
    tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q 'ray.* start .*--block'
}
# Each node has a loopback address of its own: Ray takes 127.0.0.1 for the machine's outer one.
processes_start() { # NAME NUMBER ARGUMENT…
  local name=$1 host=127.0.0.$(($2 + 2))
  shift 2
  command -v "$RAY" >/dev/null || fail "there is no $RAY (tools/install test)"
  rm -f "$folder/$name.log"  # `processes_ready` reads what this one writes
  setsid "$RAY" start --block --node-ip-address "$host" --num-cpus "$cpus" --disable-usage-stats \
    --min-worker-port 0 --max-worker-port 0 --dashboard-agent-listen-port 0 "$@" \
    >"$folder/$name.log" 2>&1 </dev/null &
  echo $! >"$folder/$name.pid"
  # Not yet another program than this one, it would be taken for a node that ended.
  while cmp -s "/proc/$!/cmdline" "/proc/$$/cmdline"; do sleep .01; done
}
processes_ready() { processes_runs "$1" && grep -q "$started" "$folder/$1.log" 2>/dev/null; } # NAME
processes_stop() { # NAME
  local pid
  if processes_runs "$1"; then
    pid=$(cat "$folder/$1.pid")
    # The node's process group, which `setsid` made: what would not end within five seconds is killed.
    kill -TERM -- "-$pid" 2>/dev/null || true  # it may be ending
    for _ in $(seq 50); do
      pgrep -g "$pid" >/dev/null || break
      sleep .1
    done
    kill -KILL -- "-$pid" 2>/dev/null || true
  fi
  rm -f "$folder/$1.pid"
}
# HAProxy of any node, whose command names its file in `FOLDER/ID OF THE NODE`.
haproxy_pids() {
  local process
  for process in /proc/[0-9]*; do
    if { tr '\0' ' ' <"$process/cmdline"; } 2>/dev/null | # which may have ended
      grep -q -F -e "haproxy -db -f $(dirname "$RAY_SERVE_HAPROXY_CONFIG_FILE_LOC")/"; then
      echo "${process#/proc/}"
    fi
  done
}
processes_end() { # what no node's end takes along
  local pid
  for pid in $(haproxy_pids); do kill -TERM "$pid" 2>/dev/null || true; done
  for _ in $(seq 50); do
    [ -n "$(haproxy_pids)" ] || return 0
    sleep .1
  done
  for pid in $(haproxy_pids); do kill -KILL "$pid" 2>/dev/null || true; done
}
processes_ports() {
  local wanted where
  for wanted in "127.0.0.2:$port" "127.0.0.2:$((port + 1))" "127.0.0.1:$dashboard" \
    "127.0.0.1:${RAY_SERVE_HAPROXY_STATS_PORT:-8404}" "127.0.0.1:${RAY_SERVE_HAPROXY_METRICS_PORT:-9101}"; do
    where=${wanted/:/\/}
    if (: <"/dev/tcp/$where") 2>/dev/null; then
      fail "$wanted is taken, by another cluster or what is left of one: end it, or say another port"
    fi
  done
}
processes_head() {
  processes_start head 0 --head --port "$port" --dashboard-host 127.0.0.1 --dashboard-port "$dashboard" \
    --ray-client-server-port $((port + 1))
}
processes_worker() { processes_start "$1" "${1#worker-}" --address "127.0.0.2:$port"; }
processes_names() { find "$folder" -name '*.pid' -printf '%f\n' 2>/dev/null | sed 's/\.pid$//' | sort -V; }

# --- Nodes as containers, named liminal-ray-NAME, in a network of their own.
containers_runs() { [ "$(docker inspect -f '{{.State.Running}}' "$image-$1" 2>/dev/null)" = true ]; }
containers_start() { # NAME [DOCKER ARGUMENT…] -- ARGUMENT…
  local name=$1 given=()
  shift
  while [ "$1" != -- ]; do given+=("$1"); shift; done
  shift
  docker rm -f "$image-$name" >/dev/null 2>&1 || true
  docker run -d --name "$image-$name" --hostname "$image-$name" --network "$network" --shm-size 1g \
    -e RAY_SERVE_THROUGHPUT_OPTIMIZED -e RAY_SERVE_ENABLE_HA_PROXY -e RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S \
    -e RAY_USAGE_STATS_ENABLED -e RAY_AUTH_MODE -e RAY_AUTH_TOKEN -v "$image-data:/var/lib/liminal" "${given[@]}" "$image" \
    ray start --block --num-cpus "$cpus" --disable-usage-stats "$@" >/dev/null
}
containers_ready() { containers_runs "$1" && docker logs "$image-$1" 2>&1 | grep "$started" >/dev/null; }
containers_stop() { docker rm -f "$image-$1" >/dev/null 2>&1 || true; }
containers_end() { docker network rm "$network" >/dev/null 2>&1 || true; }
containers_head() {
  docker network inspect "$network" >/dev/null 2>&1 || docker network create "$network" >/dev/null
  containers_start head -p "127.0.0.1:$port:6379" -p "127.0.0.1:$dashboard:8265" -p 127.0.0.1:8000:8000 -- \
    --head --port 6379 --dashboard-host 0.0.0.0
}
containers_worker() { containers_start "$1" -- --address "$image-head:6379"; }
containers_names() {
  docker ps -a --filter "name=^$image-(head|worker-)" --format '{{.Names}}' | sed "s/^$image-//" | sort -V
}

# One token for all nodes and for who asks from here.
processes_token() {
  [ -z "${RAY_AUTH_TOKEN:-}${RAY_AUTH_TOKEN_PATH:-}" ] || return 0
  command -v "$RAY" >/dev/null || fail "there is no $RAY (tools/install test)"
  (umask 077 && "$RAY" get-auth-token --generate >/dev/null 2>&1) || fail "$RAY makes no token"
}
containers_token() {
  local file=${RAY_AUTH_TOKEN_PATH:-$folder/token}
  if [ -z "${RAY_AUTH_TOKEN:-}" ]; then
    [ -s "$file" ] || (umask 077 && head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$file")
    RAY_AUTH_TOKEN=$(cat "$file")
  fi
  export RAY_AUTH_TOKEN
}

processes_status() { "$RAY" status --address "127.0.0.2:$port"; }
containers_status() { docker exec "$image-head" ray status --address "$image-head:6379"; }

nodes() { # how many nodes the head knows that live
  "${kind}_status" 2>/dev/null | sed -n '/^Active:/,/^Pending:/p' | grep -c ' node_' || true
}

# Begins those of these nodes that do not run, at once, and waits until each of them says that it is there: what
# one that has long been running said may be in no log any more. Ray gives a node thirty seconds, which a machine
# that is busy may need: one that ended is begun once more.
begin() { # NAME…
  local name missing begun=() until=$((SECONDS + 120)) again=' '
  for name in "$@"; do
    "${kind}_runs" "$name" && continue
    "${kind}_${name%-*}" "$name"
    begun+=("$name")
  done
  while :; do
    missing=
    for name in "${begun[@]}"; do
      ! "${kind}_ready" "$name" || continue
      missing=$name
      ! "${kind}_runs" "$name" || continue
      [[ $again != *" $name "* ]] || fail "$name ended: see $folder/$name.log"
      again+="$name "
      "${kind}_stop" "$name"
      "${kind}_${name%-*}" "$name"
    done
    [ -n "$missing" ] || return 0
    [ $SECONDS -lt $until ] || fail "$missing is not there after two minutes: see $folder/$missing.log"
    sleep .1
  done
}

start() {
  local wanted=$1 name workers=() until
  [[ $wanted =~ ^[0-9]+$ ]] && [ "$wanted" -le 64 ] || fail "N must be 0 to 64"
  mkdir -p "$folder"
  [ "$RAY_AUTH_MODE" != token ] || "${kind}_token"
  "${kind}_runs" head || stop
  for name in $("${kind}_names"); do
    # What is left of one that died, and workers that are not wanted any more.
    [[ $name == head || ${name#worker-} -le $wanted ]] && "${kind}_runs" "$name" || "${kind}_stop" "$name"
  done
  # The head first: a worker does not wait long for it.
  [ "$kind" != processes ] || "${kind}_runs" head || processes_ports
  begin head
  for ((i = 1; i <= wanted; ++i)); do workers+=("worker-$i"); done
  begin "${workers[@]}"
  until=$((SECONDS + 60))
  while [ "$(nodes)" -le "$wanted" ]; do
    [ $SECONDS -lt $until ] || fail "the head does not know all nodes after a minute: see $folder/head.log"
    sleep .5
  done
  if [ "$kind" = processes ] && [ "$wanted" -gt 0 ]; then
    echo "All nodes are this machine: deploy with proxy_location HeadOnly, as deploy/ray/serve.yaml has it." >&2
  fi
  echo "ready address=$([ "$kind" = processes ] && echo 127.0.0.2 || echo 127.0.0.1):$port nodes=$((wanted + 1)) kind=$kind dashboard=http://127.0.0.1:$dashboard"
}

status() {
  local name found=1
  for name in $("${kind}_names"); do
    if "${kind}_runs" "$name"; then
      echo "$name runs"
      found=0
    else
      echo "$name is gone"
    fi
  done
  return $found
}

stop() {
  local name stopping=() one failed=0
  # Workers first: a head that is gone makes them wait.
  for name in $("${kind}_names" | grep -v '^head$' || true); do
    "${kind}_stop" "$name" &
    stopping+=($!)
  done
  for one in "${stopping[@]}"; do wait "$one" || failed=1; done
  "${kind}_stop" head
  "${kind}_end"
  return $failed
}

case ${1:-} in
  start) [ $# -eq 2 ] || fail "start N"; start "$2" ;;
  stop) stop ;;
  status) status ;;
  *) sed -n '2,22s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
