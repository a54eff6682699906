#!/usr/bin/env bash
# Writes the secrets of docker-compose.yml, each as a file in deploy/compose-secrets. What is there is never replaced:
# secrets that were sealed with another key could not be opened any more.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=deploy/compose-secrets
umask 077
mkdir -p "$folder"
for name in sealing-key postgres-password; do
    if [[ -e $folder/$name ]]; then
        echo "kept: $folder/$name"
        continue
    fi
    # 32 random bytes as 64 hex digits.
    od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' >"$folder/$name"
    echo "written: $folder/$name"
done
