#!/bin/sh
# Secrets of your own for compose.yaml, made once: deploy/compose/make_env.sh > .env
#
# example.env says what each is for. Keep the file: the databases' passwords follow from SECRET_KEY.
set -eu

random() {
    openssl rand -hex 32
}

# One line, as compose reads it: a line's end is \n between double quotes.
signing_key() {
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null | awk '{printf "%s\\n", $0}'
}

umask 077
echo "SECRET_KEY=$(random)"
echo "SERVICE_KEY=$(random)"
printf 'JWT_SIGNING_KEY="%s"\n' "$(signing_key)"
echo "POSTGRES_PASSWORD=$(random)"
echo "RABBITMQ_PASSWORD=$(random)"
echo "VALKEY_PASSWORD=$(random)"
echo "GRAFANA_PASSWORD=$(random)"
echo "OPERATOR_EMAIL=operator@shop.example"
echo "OPERATOR_PASSWORD=$(random)"
