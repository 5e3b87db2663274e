# shellcheck shell=sh
# How deploy/upgrade and deploy/rollback put containers of another image in the place of those that run: the new ones
# start beside the old ones, and the old ones stop only when all new ones are healthy. Reads as if it stood in them.
# shellcheck source=deploy/steps.sh
. deploy/steps.sh

# What loads large models takes its time before it is healthy.
healthy_seconds=${MLP_HEALTHY_SECONDS:-180}
# Traefik learns of a new container some two seconds after Docker calls it healthy.
settle_seconds=${MLP_SETTLE_SECONDS:-5}

containers() {
    docker compose ps -aq "$1"
}

repository_of() {
    image_of "$1" | sed 's/:[^:/]*$//'
}

# Refuses to begin where there is nothing to replace, and counts the replicas, which stay as many as they are.
count_replicas() {
    replicas=$(running api | count)
    workers=$(running worker | count)
    [ "$replicas" -gt 0 ] || fail "no api runs: there is nothing to replace; docker compose up -d"
    ours="api worker"
    if [ "$workers" -eq 0 ]; then
        say "no worker runs on this machine, and none is started"
        ours=api
    fi
}

# The images that run get the tag `replaced`, so that no build takes the last name away from them.
keep_running_images() {
    for service in $ours; do
        running_image=$(docker inspect -f '{{.Image}}' "$(running "$service" | head -n 1)")
        docker tag "$running_image" "$(repository_of "$service"):replaced"
    done
}

# Whatever starts a container from now on shall take the image that has proved itself.
put_images_back() {
    for service in $ours; do
        docker tag "$(repository_of "$service"):replaced" "$(image_of "$service")" || continue
        docker rmi "$(repository_of "$service"):replaced" || :
    done
}

remember_previous() {
    for service in $ours; do
        repository=$(repository_of "$service")
        running_image=$(docker inspect -f '{{.Image}}' "$(running "$service" | head -n 1)")
        # Otherwise a second run that changes nothing would leave nothing to go back to.
        if [ "$(docker image inspect -f '{{.Id}}' "$repository:replaced")" != "$running_image" ]; then
            docker tag "$repository:replaced" "$repository:previous"
        fi
        docker rmi "$repository:replaced"
    done
}

# A one-shot of an older image must not be left: where `docker compose up -d` makes such a container again, Compose
# (2.26 at least) first stops everything that depends on it, which is the API.
forget_one_shots() {
    docker compose rm -fs prepare migrate </dev/null
}

run_once() {
    docker compose run --rm -T --no-deps "$1" </dev/null
}

# Containers that do not run would be counted as replicas, and started with what they were made of.
remove_dead() {
    containers "$1" | while read -r container; do
        [ "$(docker inspect -f '{{.State.Running}}' "$container")" = true ] || docker rm -f "$container"
    done
    containers "$1" | sort >"$work/$1.old"
}

# replicas_up SERVICE COUNT: so many containers in all; those that run are left as they are. Not with --no-deps, which
# is part of the hash by which Compose knows its containers: the next `up -d` would make all of them again.
replicas_up() {
    docker compose up -d --no-recreate --no-build --scale "$1=$2" "$1" </dev/null
}

list_new() {
    containers "$1" | sort | comm -13 "$work/$1.old" - >"$work/$1.new"
}

start_beside() {
    echo "$1" >"$work/beside"
    replicas_up "$1" "$((2 * $2))"
    list_new "$1"
    # shellcheck disable=SC2046  # one word for each container
    wait_healthy "$healthy_seconds" $(cat "$work/$1.new")
    sleep "$settle_seconds"
}

# One after the other; Docker waits as long as the service's stop_grace_period says.
stop_old() {
    while read -r container; do
        docker stop "$container" </dev/null
        docker rm "$container" </dev/null
    done <"$work/$1.old"
    rm "$work/beside"
    replicas_up "$1" "$2"
}

# After a failure or Ctrl-C: what was started beside goes away, and the old ones go on as if nothing had been.
clean_up() {
    [ -e "$work/images" ] || return 0
    put_images_back >/dev/null 2>&1
    forget_one_shots >/dev/null 2>&1 || :
    [ -e "$work/beside" ] || return 0
    beside=$(cat "$work/beside")
    list_new "$beside"
    # Were an old one stopped already, the new ones are healthy, and all of them stay.
    while read -r container; do
        docker inspect "$container" >/dev/null 2>&1 || {
            say "broken off while the old $beside containers were stopping: the new ones serve; run $script again"
            return 0
        }
    done <"$work/$beside.old"
    while read -r container; do
        docker rm -f "$container" >/dev/null 2>&1 || :
    done <"$work/$beside.new"
    say "the new $beside containers are removed; the old ones go on serving"
    [ "$beside" = api ] || say "the api is replaced already, and goes together with the old workers"
}

# replace SERVICE COUNT
replace() {
    step "$1: remove what does not run" remove_dead "$1"
    step "$1: start $2 new beside $2 old, wait until healthy" start_beside "$1" "$2"
    step "$1: stop the old ones, one by one" stop_old "$1" "$2"
}

replace_all() {
    : >"$work/images"
    replace api "$replicas"
    [ "$workers" -eq 0 ] || replace worker "$workers"
    rm "$work/images"
    step "remember the images that were replaced" remember_previous
}
