#!/usr/bin/env bash
# Writes the secrets of docker-compose.yml, each as a file in deploy/compose-secrets. What is there is never replaced:
# secrets that were sealed with another key could not be opened any more.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=deploy/compose-secrets
umask 077
mkdir -p "$folder"
for name in sealing-key postgres-password lake-key; do
    if [[ -e $folder/$name ]]; then
        echo "kept: $folder/$name"
        continue
    fi
    # 32 random bytes as 64 hex digits.
    od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' >"$folder/$name"
    echo "written: $folder/$name"
done

# The same key as the S3 server reads it.
if [[ ! -e $folder/s3.json ]]; then
    printf '{"identities":[{"name":"weir","credentials":[{"accessKey":"weir","secretKey":"%s"}],"actions":["Admin"]}]}\n' \
        "$(<"$folder/lake-key")" >"$folder/s3.json"
    echo "written: $folder/s3.json"
fi
# The S3 server reads it as a user of its own; nobody else comes into the folder.
chmod 644 "$folder/s3.json"

# Docker leaves owner and mode of these files as they are, and Weir's services run as their owner; never as root.
user=$(id -u):$(id -g)
if [[ ${user%%:*} == 0 ]]; then
    user=65532:65532
    chown "$user" "$folder"/{sealing-key,postgres-password,lake-key}
fi
if ! grep -qs '^WEIR_USER=' .env; then
    echo "WEIR_USER=$user" >>.env
    echo "written: .env"
fi
