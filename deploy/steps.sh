# shellcheck shell=sh
# What the scripts beside this file share; they read it with `.`, standing in the folder of docker-compose.yaml.
# One line is printed for each step, with the seconds it took; what a step printed is shown only where it failed.

script=${0##*/}

say() {
    printf '%s: %s\n' "$script" "$*" >&2
}

fail() {
    say "$@"
    exit 1
}

# open_work PLACE: a private folder there for logs and lists; the caller's clean_up, if there is one, runs before it is
# removed.
open_work() {
    umask 077
    work=$(mktemp -d "$1.XXXXXX")
    trap 'leave $?' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    : >"$work/log"
}

leave() {
    trap - EXIT
    clean_up
    rm -rf "$work"
    exit "$1"
}

clean_up() {
    :
}

# step TEXT COMMAND...: runs the command in a shell of its own that stops at the first error.
step() {
    step_text=$1
    shift
    printf '%-58s' "$step_text"
    step_began=$(date +%s)
    set +e
    (
        set -e
        "$@"
    ) >"$work/log" 2>&1
    step_status=$?
    set -e
    if [ "$step_status" -ne 0 ]; then
        printf ' failed after %s s\n' "$(($(date +%s) - step_began))"
        tail -n 20 "$work/log" >&2
        return "$step_status"
    fi
    printf ' %4s s\n' "$(($(date +%s) - step_began))"
}

# What Compose makes of its files and of .env; read once.
read_configuration() {
    docker compose version >/dev/null 2>&1 || fail "there is no 'docker compose' here, or no engine that answers"
    docker compose config >"$work/configuration" 2>"$work/log" || fail "$(cat "$work/log")"
}

# configured SECTION ENTRY KEY: a value of the configuration, such as `configured services api image`.
configured() {
    awk -v section="$1:" -v entry="  $2:" -v key="    $3: " '
        /^[^ ]/ { inside = $0 == section }
        inside && /^  [^ ]/ { within = $0 == entry }
        inside && within && index($0, key) == 1 { print substr($0, length(key) + 1) }
    ' "$work/configuration"
}

image_of() {
    configured services "$1" image
}

volume_of() {
    configured volumes "$1" name
}

running() {
    docker compose ps -q "$1" 2>/dev/null
}

count() {
    awk 'NF { lines++ } END { print lines + 0 }'
}

sha256() {
    if command -v sha256sum >/dev/null 2>&1; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1
}

# psql_in DATABASE: SQL on standard input, answered in plain lines; '' is the stack's own database. The server's own
# socket asks for no password.
psql_in() {
    # shellcheck disable=SC2016  # the container's variables, not ours
    docker compose exec -T database sh -c \
        'exec psql -X -A -t -q -F " " -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "${1:-$POSTGRES_DB}"' psql "$1"
}

# in_image SERVICE PROGRAM ARGUMENT...: a program in the service's image, beside its artefacts, without a network.
in_image() {
    in_image_name=$(image_of "$1")
    in_image_program=$2
    shift 2
    docker run --rm -i --network none --volume "$(volume_of artefacts):/var/lib/mlp/artefacts" \
        --entrypoint "$in_image_program" "$in_image_name" "$@"
}

# list_damaged MANIFEST: the artefacts it names whose file is not there, or does not have the SHA-256 of its name.
list_damaged() {
    sed -n 's/^artefact \(.*\)$/\1  \1.zip/p' "$1" >"$work/sums"
    [ -s "$work/sums" ] || return 0
    in_image api sh -c 'cd /var/lib/mlp/artefacts && { sha256sum -c - 2>/dev/null || [ $? -eq 1 ]; } && echo whole' \
        <"$work/sums" >"$work/checked"
    # Nothing else would tell a list without faults from a check that did not run.
    [ "$(tail -n 1 "$work/checked")" = whole ]
    sed -n 's/^\([0-9a-f]\{64\}\)\.zip: FAILED.*/\1/p' "$work/checked"
}

# wait_healthy SECONDS CONTAINER...: until Docker calls all of them healthy; says which one does not become it.
wait_healthy() {
    healthy_until=$(($(date +%s) + $1))
    shift
    for container in "$@"; do
        while :; do
            # shellcheck disable=SC2016  # a template of Docker's
            state=$(docker inspect -f '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}healthy{{end}} {{.RestartCount}}' "$container")
            case $state in
            "running healthy "*) break ;;
            *" "[3-9] | *" "[1-9][0-9]*) reason="started again and again" ;;
            "exited "* | "dead "*) reason="ended" ;;
            *) reason="" ;;
            esac
            if [ -z "$reason" ] && [ "$(date +%s)" -ge "$healthy_until" ]; then reason="not healthy in time"; fi
            if [ -n "$reason" ]; then
                echo "container $(docker inspect -f '{{.Name}}' "$container" | cut -c 2-) is $state: $reason. Its last lines:"
                docker logs --tail 15 "$container" 2>&1
                return 1
            fi
            sleep 1
        done
    done
}
