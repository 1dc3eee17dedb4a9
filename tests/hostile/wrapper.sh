#!/bin/sh
# Stands in for Deno in a spec: tells the far side that plays scripts where it is expected, and lasts as long as that
# plays. What that prints comes through here.
folder=$1 name=$2
shift 2
for url; do :; done
mkfifo "$folder/$name.printed"
printf '%s' "$url" >"$folder/$name.url"
echo "$name" >"$folder/calls"
exec cat "$folder/$name.printed"
