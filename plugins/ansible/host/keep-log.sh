#!/bin/sh
# Makes an empty log that only its owner reads, and removes the oldest beyond a number: keep-log.sh FOLDER NAME NUMBER
set -e
umask 077
mkdir -p "$1"
: >"$1/$2"
find "$1" -maxdepth 1 -type f -name '*.log' | sort -r | tail -n "+$(($3 + 1))" | while read -r old; do rm -f "$old"; done
