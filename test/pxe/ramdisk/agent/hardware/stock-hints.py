"""Asks the stock agent's own parser: cases as JSON on standard input, answers on standard output.

An answer is the names of the disks that match, or "refused" when the parser, or the comparison with a disk, raises.
"""
import json
import sys

from ironic_python_agent import device_hints

# Which get_os_install_device asks for as lists; the skip list is read with plain values.
SEVERAL = ('serial', 'wwn', 'wwn_with_extension', 'wwn_vendor_extension')


def as_lists(disk):
    return {name: [value] if name in SEVERAL else value for name, value in disk.items()}


def answer(disks, hints):
    try:
        return [disk['name'] for disk in device_hints.find_devices_by_hints(disks, hints)]
    except Exception:
        return 'refused'


given = json.load(sys.stdin)
json.dump([{'root': answer([as_lists(disk) for disk in given['disks']], hints),
            'skip': answer(given['disks'], hints)} for hints in given['hints']], sys.stdout)
