"""The real `baremetal` client, many commands in one process: its start takes longer than most commands.

Reads one JSON list of words a line from standard input, and answers each with one JSON object a line: the exit status,
what it wrote, and what it complained. A line `commands` is answered with the names of all commands that there are.
"""
import contextlib
import importlib.metadata
import io
import json
import sys

from ironicclient import shell


def commands():
    points = importlib.metadata.entry_points(group='openstack.baremetal.v1')
    return sorted(point.name.removeprefix('baremetal_').replace('_', ' ') for point in points)


def run(words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        # The option parser of the SDK looks there.
        sys.argv = ['baremetal', *words]
        try:
            status = shell.App().run(words)
        except SystemExit as end:
            status = end.code or 0
    return {'status': status, 'stdout': out.getvalue(), 'stderr': err.getvalue()}


for line in sys.stdin:
    words = json.loads(line)
    answer = commands() if words == 'commands' else run(words)
    print(json.dumps(answer), flush=True)
