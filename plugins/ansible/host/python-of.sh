#!/bin/sh
# Runs a script by the Python that a program such as ansible-playbook is run by: python-of.sh PROGRAM SCRIPT ARGUMENT...
program=$(command -v "$1") || { echo "$1 is not on this box" >&2; exit 1; }
shift
read -r first <"$program"
case $first in
  '#!'*python*) python=${first#'#!'} ;;
  *) python=python3 ;;
esac
# The line may hold an option of Python's.
exec $python "$@"
