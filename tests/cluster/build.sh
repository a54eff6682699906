#!/usr/bin/env bash
# Builds etcd and Kubernetes from Go modules, and takes the definitions of custom resources out of their operators' modules.
# Everything is in target/cluster, and built again only where this file, go.mod or go.sum changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(cd ../.. && pwd)/target/cluster

# MODULE FILES KIND...: each module is downloaded by itself, so that what it depends on changes no version in go.mod. Go's
# checksum database has its hash.
definitions=(
    'github.com/cert-manager/cert-manager@v1.21.2 deploy/crds/cert-manager.io certificates issuers'
    'github.com/kedacore/keda/v2@v2.21.0 config/crd/bases/keda.sh scaledobjects triggerauthentications'
    'github.com/prometheus-operator/prometheus-operator@v0.85.0 example/prometheus-operator-crd/monitoring.coreos.com
        podmonitors prometheusrules servicemonitors'
    'sigs.k8s.io/gateway-api@v1.6.3 config/crd/standard/gateway.networking.k8s.io gateways grpcroutes httproutes'
)
programs=(
    etcd=go.etcd.io/etcd/server/v3
    kubectl=k8s.io/kubernetes/cmd/kubectl
    kube-controller-manager=k8s.io/kubernetes/cmd/kube-controller-manager
    kube-apiserver=k8s.io/kubernetes/cmd/kube-apiserver
)

say() { echo "cluster: $*" >&2; }

made_of=$(sha256sum build.sh go.mod go.sum)
if [[ -f $work/made-of && $(<"$work/made-of") == "$made_of" ]]; then
    exit 0
fi
# From 1.21 on, Go gets the version of itself that go.mod wants.
version=$(go env GOVERSION)
if [[ $(printf 'go1.21\n%s\n' "$version" | sort -V | head -n 1) != go1.21 ]]; then
    say "building Kubernetes needs Go 1.21 or later, and this is $version"
    exit 69
fi
# Linking the API server takes 2 GiB.
if (($(awk '/^MemAvailable:/ {print $2}' /proc/meminfo) < 3 * 1024 * 1024)); then
    say "building Kubernetes needs 3 GiB of free memory"
    exit 69
fi

# What compiles them is of no use afterwards, and takes several GB.
mkdir -p "$work/build"
rm -rf "$work"/{bin,crds,made-of}
mkdir -p "$work"/{bin,crds}
export GOMODCACHE=$work/build/mod GOCACHE=$work/build/cache CGO_ENABLED=0
export GOFLAGS='-p=2 -mod=readonly -modcacherw -trimpath -buildvcs=false'

say "downloading the sources of Kubernetes"
if ! go list -deps tool >"$work/build/log" 2>&1; then
    tail -n 5 "$work/build/log" >&2
    say "cannot get the modules of go.mod: nothing was checked"
    exit 75
fi
for definition in "${definitions[@]}"; do
    read -r -d '' -a words <<<"$definition" || true
    folder=$(cd "$work" && go mod download -json "${words[0]}" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p') || true
    if [[ -z $folder ]]; then
        say "cannot get ${words[0]}: nothing was checked"
        exit 75
    fi
    for kind in "${words[@]:2}"; do
        cp "$folder/${words[1]}_$kind.yaml" "$work/crds"
    done
done

# Without its version, Kubernetes says that it is v0.0.0, and what is pinned to one means nothing.
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
IFS=. read -r major minor _ <<<"${version#v}"
stamps='-s -w'
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    stamps+=" -X $package.gitVersion=$version -X $package.gitMajor=$major -X $package.gitMinor=$minor"
done
# One after the other: linking takes most of the memory.
for program in "${programs[@]}"; do
    say "building ${program%%=*} $(date +%T)"
    nice -n 10 go build -ldflags "$stamps" -o "$work/bin/${program%%=*}" "${program#*=}"
done
echo "$made_of" >"$work/made-of"
# A toolchain that Go downloads for itself is read-only.
chmod -R u+w "$work/build"
rm -rf "$work/build"
