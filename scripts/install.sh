#!/usr/bin/env bash
# Installs what is missing to run Weir from its sources (run), to test it too (test), or to build its images (images). With apt where that may be
# done without asking; otherwise one line says what to install. Does nothing where everything is there.
set -euo pipefail

usage() {
    echo "usage: scripts/install.sh run|test|images" >&2
    exit 64
}

have() { command -v "$1" >/dev/null 2>&1; }

# The packages of Debian and Ubuntu that are missing.
missing=()

need() { # PACKAGE CHECK...: CHECK tells whether it is there
    local package=$1
    shift
    if ! "$@" >/dev/null 2>&1; then
        missing+=("$package")
    fi
}

library() { # NAME PACKAGE
    if ! have pkg-config || ! pkg-config --exists "$1"; then
        missing+=("$2")
    fi
}

java_is_new_enough() {
    local java=java version
    if [[ -n ${JAVA_HOME:-} && -x $JAVA_HOME/bin/java ]]; then
        java=$JAVA_HOME/bin/java
    fi
    # openjdk version "17.0.15" 2025-04-15
    version=$("$java" -version 2>&1 | sed -n 's/^.* version "\([0-9]*\).*/\1/p;T;q')
    # With its compiler: `java Decode.java`.
    [[ ${version:-0} -ge 17 ]] && "$java" --list-modules | grep '^jdk.compiler@'
}

java_package() { # 17 where it is offered, otherwise what the distribution has made its own
    if have apt-cache && [[ -n $(apt-cache --quiet=0 search --names-only '^openjdk-17-jdk-headless$' 2>/dev/null) ]]; then
        echo openjdk-17-jdk-headless
    else
        echo default-jdk-headless
    fi
}

postgresql_is_there() {
    have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

debootstrap_is_there() {
    have debootstrap || [[ -x /usr/sbin/debootstrap ]]
}

haproxy_is_there() {
    have haproxy || [[ -x /usr/sbin/haproxy ]]
}

look() { # WHAT
    missing=()
    need gcc have gcc
    need libc6-dev test -e /usr/include/stdio.h
    need make have make
    if [[ $1 == images ]]; then
        need buildah have buildah
        # Makes base images where none can be pulled.
        need debootstrap debootstrap_is_there
        return
    fi
    need pkg-config have pkg-config
    library openssl libssl-dev
    library zlib zlib1g-dev
    if [[ $1 == test ]]; then
        need "$(java_package)" java_is_new_enough
        need maven have mvn
        # Of libFuzzer.
        need g++ have g++
        need util-linux have setpriv
        need openssl have openssl
        need redis-server have redis-server
        need postgresql postgresql_is_there
        need haproxy haproxy_is_there
        need curl have curl
        # Renders the manifests; needs no cluster. Ubuntu has it as a snap only: see kubernetes.io/docs/tasks/tools.
        need kubernetes-client have kubectl
        need python3 have python3
        need python3-venv python3 -c 'import ensurepip'
        # Subscribers in other languages: tests/subscribers.
        need golang-go have go
        need nodejs have node
        need npm have npm
        # Looks at the status page.
        need chromium have chromium
        need chromium-driver have chromedriver
    fi
}

# What reads the lake's tables as others do, a store that speaks S3 (tests/src/python.rs), and a subscriber (tests/subscribers).
# The last four are what analysts read tables with.
python_packages=(deltalake==1.6.6 'moto[s3]==5.2.5' flask==3.1.3 flask-cors==6.0.5 protobuf==7.36.2 confluent-kafka==2.16.1
    pandas==3.1.1 pyarrow==26.0.1 duckdb==2.0.1 polars==2.1.0)

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
subscribers=$root/tests/subscribers
page=$root/crates/health-check/tests/browser

make_once() { # FOLDER MADE_OF COMMAND: makes a folder under target/ again where it was not made of this
    local folder=$root/target/$1
    if [[ -f $folder/made-of && $(<"$folder/made-of") == "$2" ]]; then
        return
    fi
    echo "installing into $folder" >&2
    rm -rf "$folder"
    mkdir -p "$folder"
    "$3" "$folder" >&2
    echo "$2" >"$folder/made-of"
}

make_python() {
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check "${python_packages[@]}"
}

# Each subscriber's library, of the version and with the hash that its lock file has.
make_go() { # and what is compiled of it
    (cd "$subscribers/go" && GOMODCACHE=$1/mod GOCACHE=$1/cache GOTOOLCHAIN=local \
        go build -mod=readonly -modcacherw -buildvcs=false -o "$1/decode" .)
}

make_javascript() {
    cp "$subscribers"/javascript/package{,-lock}.json "$1"
    (cd "$1" && npm ci --loglevel=error --no-audit --no-fund)
}

# What says whether everybody can read a page.
make_browser() {
    cp "$page"/package{,-lock}.json "$1"
    (cd "$1" && npm ci --loglevel=error --no-audit --no-fund)
}

make_java() {
    mvn -q -B -Dstyle.color=never -f "$subscribers/java/pom.xml" dependency:copy-dependencies -DoutputDirectory="$1"
    (cd "$1" && sha256sum --quiet --strict --check "$subscribers/java/jars.sha256")
}

# Only its programs, of Debian's package: installed, it would start a server on port 9090, which is Weir's for gRPC.
make_prometheus() {
    if have promtool && have prometheus; then
        mkdir -p "$1/usr/bin"
        ln -s "$(command -v promtool)" "$(command -v prometheus)" "$1/usr/bin/"
        return
    fi
    (cd "$1" && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb)
}

make_alertmanager() { # as above: port 9093
    if have prometheus-alertmanager; then
        mkdir -p "$1/usr/bin"
        ln -s "$(command -v prometheus-alertmanager)" "$1/usr/bin/prometheus-alertmanager"
        return
    fi
    (cd "$1" && apt-get download -qq prometheus-alertmanager && dpkg-deb -x prometheus-alertmanager_*.deb . &&
        rm prometheus-alertmanager_*.deb)
}

make_test_libraries() {
    make_once prometheus prometheus make_prometheus
    make_once alertmanager prometheus-alertmanager make_alertmanager
    make_once python "${python_packages[*]}" make_python
    make_once browser "$(sha256sum "$page"/package*.json)" make_browser
    local language
    for language in go javascript java; do
        make_once "subscribers/$language" "$(sha256sum "$subscribers/$language"/*)" "make_$language"
    done
}

install_with_apt() { # COMMAND BEFORE apt-get...
    echo "installing: ${missing[*]}" >&2
    "$@" apt-get update -qq
    # The list was made before the package lists were there on a fresh machine: look again.
    look "$what"
    "$@" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

[[ $# -eq 1 ]] || usage
what=$1
[[ $what == run || $what == test || $what == images ]] || usage

if ! have cargo; then
    echo "install Rust first: https://rustup.rs (cargo is neither on PATH nor in ~/.cargo/bin)" >&2
    exit 1
fi

look "$what"
if [[ ${#missing[@]} -eq 0 ]]; then
    if [[ $what == test ]]; then
        make_test_libraries
    fi
    exit 0
fi
if have apt-get && [[ $(id -u) -eq 0 ]]; then
    install_with_apt
elif have apt-get && have sudo && sudo -n true 2>/dev/null; then
    install_with_apt sudo
else
    # Names as Debian and Ubuntu have them; java is any Java from 17 on.
    echo "install first: sudo apt-get install -y ${missing[*]}" >&2
    exit 1
fi
look "$what"
if [[ ${#missing[@]} -gt 0 ]]; then
    echo "still missing after the installation: ${missing[*]}" >&2
    exit 1
fi
if [[ $what == test ]]; then
    make_test_libraries
fi
