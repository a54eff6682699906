#!/usr/bin/env bash
# Builds the images of Weir with buildah, which needs no daemon, and checks them; or pushes them to a registry; or writes
# them as archives.
#
#   scripts/images.sh build [PROGRAM...]
#   scripts/images.sh push REGISTRY
#   scripts/images.sh save [PROGRAM...]
#
# The base images are pulled. If their registries are unavailable, they are made from Debian packages and this machine's
# Rust, under the same names, with a message. WEIR_IMAGE_BASES=pull forbids this; =debian does it without a pull.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
bases=$(sed -n 's/^FROM \([^ ]*[:/][^ ]*\).*/\1/p' deploy/Dockerfile)
overlay=k8s/overlays/review/images/kustomization.yaml
# `weir manifests --write` names all of them there.
mapfile -t programs < <(sed -n 's/^  - name: //p' "$overlay")
# What an image may take, in bytes: as it is pulled, compressed.
largest=$((50 * 1000 * 1000))
work=target/images

usage() {
    sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 64
}

say() { echo "images: $*" >&2; }

# Everything is kept in the project's target folder. How layers are stored is what the machine can do: overlay as root, vfs
# (which copies each layer, and needs several times the disk) everywhere; STORAGE_DRIVER=vfs says so.
export BUILDAH_ISOLATION=chroot
build() {
    buildah --root "$PWD/$work/storage" --runroot "$PWD/$work/run" \
        ${STORAGE_DRIVER:+--storage-driver "$STORAGE_DRIVER"} "$@"
}

# ---- base images ----

is_here() { build inspect --type image "$1" >/dev/null 2>&1; }

make_base() { # NAME
    local root=$PWD/$work/$(tr -c 'a-z0-9\n' - <<<"$1") suite
    suite=trixie
    if ! command -v debootstrap >/dev/null; then
        say "$1 cannot be pulled, and debootstrap is not installed to make it: apt-get install debootstrap"
        exit 1
    fi
    rm -rf "$root"
    case $1 in
    *rust:*)
        say "making $1 from Debian $suite and this machine's Rust"
        debootstrap --variant=minbase --include=ca-certificates,gcc,g++,libc6-dev,make,pkg-config,libssl-dev,zlib1g-dev \
            "$suite" "$root" >"$work/debootstrap.log"
        mkdir -p "$root/usr/local/cargo/bin"
        cp -a "$(rustc --print sysroot)" "$root/usr/local/rust"
        # What this machine trusts and how it finds the registries is needed in the build, too.
        cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
        commit "$root" "$1" --env PATH=/usr/local/cargo/bin:/usr/local/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            --env CARGO_HOME=/usr/local/cargo
        ;;
    *distroless*)
        say "making $1 from Debian $suite"
        local packages=(base-files ca-certificates libc6 libgcc-s1 libstdc++6 netbase tzdata)
        debootstrap --variant=minbase --include="$(IFS=,; echo "${packages[*]}")" "$suite" "$root.all" >"$work/debootstrap.log"
        mkdir -p "$root"/{tmp,etc,home/nonroot}
        # Only the files of these packages: no shell, and nothing that installs.
        for package in "${packages[@]}"; do
            chroot "$root.all" dpkg -L "$package"
        done | sort -u | grep -v -e '^/usr/share/\(doc\|man\|locale\|lintian\|info\)' -e '^/usr/s\?bin' |
            tar -C "$root.all" --no-recursion -cf - --files-from <(sed 's|^/|./|') | tar -C "$root" -xf -
        for link in bin sbin lib lib64; do
            [[ ! -L $root.all/$link || -e $root/$link ]] || cp -a "$root.all/$link" "$root/$link"
        done
        cp "$root.all/etc/ld.so.cache" "$root/etc/" 2>/dev/null || true
        cp "$root.all/etc/ssl/certs/ca-certificates.crt" "$root/etc/ssl/certs/"
        printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$root/etc/passwd"
        printf 'root:x:0:\nnonroot:x:65532:\n' >"$root/etc/group"
        chmod 1777 "$root/tmp"
        chown 65532:65532 "$root/home/nonroot"
        rm -rf "$root.all"
        commit "$root" "$1" --user 65532:65532 --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
        ;;
    *)
        say "$1 cannot be made: the script does not know this image"
        exit 1
        ;;
    esac
    rm -rf "$root"
}

commit() { # FOLDER NAME CONFIG...
    local folder=$1 name=$2 container
    shift 2
    container=$(build from scratch)
    build copy --quiet "$container" "$folder" / >/dev/null
    build config "$@" "$container"
    build commit --quiet --rm "$container" "$name" >/dev/null
}

have_bases() {
    local base
    for base in $bases; do
        is_here "$base" && continue
        if [[ ${WEIR_IMAGE_BASES:-} != debian ]]; then
            say "pulling $base"
            build pull --quiet "$base" >/dev/null && continue
            if [[ ${WEIR_IMAGE_BASES:-} == pull ]]; then
                say "$base cannot be pulled"
                exit 1
            fi
        fi
        make_base "$base"
    done
}

# ---- what is checked of an image ----

# The container whose files are being looked at.
mounted=
unmount() {
    [[ -n $mounted ]] || return 0
    build umount "$mounted" >/dev/null && build rm "$mounted" >/dev/null
    mounted=
}
trap unmount EXIT

fail() {
    say "$1: $2"
    exit 1
}

megabytes() { awk -v bytes="$1" 'BEGIN { print bytes / 1000000 }'; }

# Runs the program as a container would: in its own files, as its own user, with nothing but /tmp to write to.
inside() { # ROOT ARGUMENTS...
    local root=$1
    shift
    ${replace:-} env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/tmp WEIR__BUS__DATA_DIR=/tmp/data WEIR__ADMIN__LISTEN="${admin:-127.0.0.1:0}" WEIR__GRPC__LISTEN=127.0.0.1:0 \
        WEIR__STREAMING__LISTEN=127.0.0.1:0 WEIR__SECRETS__KEY_FILE=/tmp/key \
        chroot --userspec=65532:65532 "$root" /weir "$@"
}

check() { # PROGRAM
    local name=localhost/$1:$version root bytes user found
    mounted=$(build from --pull-never "$name")
    root=$(build mount "$mounted")
    user=$(build inspect --type image --format '{{.OCIv1.Config.User}}' "$name")
    [[ $user == 65532:65532 ]] || fail "$1" "runs as ${user:-root}, not as 65532:65532"
    found=$(find "$root" -xdev \( -path '*/bin/*sh' -o -path '*/bin/busybox' -o -perm /6000 \) ! -type d | sed "s|^$root||")
    [[ -z $found ]] || fail "$1" "has a shell, or setuid or setgid files: $found"
    # As it is pulled: every layer compressed.
    rm -rf "$work/pulled"
    build push --quiet "$name" "dir:$PWD/$work/pulled" >/dev/null
    bytes=$(du -sb "$work/pulled" | cut -f1)
    rm -rf "$work/pulled"
    ((bytes <= largest)) || fail "$1" "has $bytes bytes, more than the limit of $largest"
    inside "$root" --version >/dev/null || fail "$1" "does not start"
    say "$(printf '%-22s %5.1f MB to pull, %5.1f MB on disk, user %s, no shell, starts' "$1:$version" \
        "$(megabytes "$bytes")" "$(megabytes "$(du -sb "$root" | cut -f1)")" "$user")"
    unmount
}

# One is started, and asked by itself whether it is well.
serve() {
    local root key pid admin=127.0.0.1:18081
    mounted=$(build from --pull-never "localhost/weir-streaming:$version")
    root=$(build mount "$mounted")
    key=$(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')
    install -m 0400 -o 65532 /dev/stdin "$root/tmp/key" <<<"$key"
    # In place of the shell that waits for it, so that the signal reaches it.
    replace=exec inside "$root" >"$work/streaming.log" 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        if inside "$root" healthcheck >"$work/healthcheck.log" 2>&1; then
            kill "$pid"
            wait "$pid" || fail weir-streaming "did not exit cleanly: $work/streaming.log"
            unmount
            say "weir-streaming serves from its image: $(<"$work/healthcheck.log")"
            return
        fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill "$pid" 2>/dev/null || true
    cat "$work/streaming.log" "$work/healthcheck.log" >&2
    fail weir-streaming "is not healthy after 10 s"
}

# ---- commands ----

case ${1:-} in
build)
    shift
    mkdir -p "$work"
    have_bases
    for program in "${@:-${programs[@]}}"; do
        say "building $program:$version"
        build bud --quiet --layers --pull-never --format docker --isolation chroot \
            --build-arg "BIN=$program" --tag "localhost/$program:$version" --file deploy/Dockerfile . >"$work/$program.log" 2>&1 || {
            tail -n 40 "$work/$program.log" >&2
            fail "$program" "cannot be built: $work/$program.log"
        }
        check "$program"
        [[ $program != weir-streaming ]] || serve
    done
    ;;
push)
    [[ -n ${2:-} ]] || usage
    registry=${2%/}
    mkdir -p "$work"
    {
        head -n 3 "$overlay"
        echo images:
        for program in "${programs[@]}"; do
            is_here "localhost/$program:$version" || fail "$program" "is not built: make images"
            say "pushing $registry/$program:$version"
            build push --quiet --digestfile "$work/digest" ${WEIR_IMAGES_INSECURE:+--tls-verify=false} \
                "localhost/$program:$version" "docker://$registry/$program:$version" >&2
            printf '  - name: %s\n    newName: %s\n    digest: %s\n' "$program" "$registry/$program" "$(<"$work/digest")"
        done
    } >"$overlay.new" || { rm -f "$overlay.new"; exit 1; }
    mv "$overlay.new" "$overlay"
    say "overlay review has the pushed images: $overlay"
    ;;
save)
    shift
    mkdir -p "$work/archives"
    for program in "${@:-${programs[@]}}"; do
        is_here "localhost/$program:$version" || fail "$program" "is not built: make images"
        # Nothing is added to an archive that is there.
        rm -f "$work/archives/$program.tar"
        build push --quiet "localhost/$program:$version" \
            "docker-archive:$work/archives/$program.tar:localhost/$program:$version" >&2
        say "written: $work/archives/$program.tar"
    done
    ;;
*) usage ;;
esac
