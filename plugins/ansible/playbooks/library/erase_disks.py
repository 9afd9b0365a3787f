#!/usr/bin/python
"""
Erases disks. One that fails does not save the others; all that failed are told of together.

what          metadata: partition tables and file system signatures, at both ends of the disk and of each partition.
              everything: by secure discard, else with zeros
disks         names; left out: all that the agent says a cleaning may erase (not properties/skip_block_devices, none
              with a file system that other machines share)
agent_socket  of the agent
"""

import errno
import json
import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackstrap import AGENT_SOCKET, MIB, Disk, Failure, ask_agent, run

# VMFS has its signature at 2 MiB; LUKS its keys in the first 16.
HEAD_BYTES, LUKS_HEAD_BYTES, TAIL_BYTES = 4 * MIB, 16 * MIB, MIB
LUKS = b'LUKS\xba\xbe'
CHUNK, FLUSH_EVERY_BYTES = 4 * MIB, 256 * MIB
FAILURES_LIMIT = 100
DISCARD_TIMEOUT_S = 24 * 3600


def attribute(name, which):
    """Of /sys/block, '' for what is not there."""
    try:
        with open(f'/sys/block/{os.path.basename(name)}/{which}', encoding='ascii') as file:
            return file.read().strip()
    except OSError:
        return ''


def known_partitions(path):
    """Start and end in bytes, by the table on the disk and by the kernel."""
    found = []
    try:
        table = json.loads(run(['sfdisk', '--json', path]))['partitiontable']
        sector = table.get('sectorsize', 512)
        found = [(p['start'] * sector, (p['start'] + p['size']) * sector) for p in table.get('partitions', [])]
    except (Failure, ValueError, KeyError):
        # No table, or a damaged one: both ends of the disk are erased all the same.
        pass
    folder = f'/sys/block/{os.path.basename(path)}'
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        start = attribute(path, f'{name}/start')
        if start:
            size = attribute(path, f'{name}/size')
            found.append((int(start) * 512, (int(start) + int(size)) * 512))
    return found


def erase_metadata(path):
    with Disk(path) as disk:
        for start, end in [*known_partitions(path), (0, disk.size_bytes)]:
            end = min(end, disk.size_bytes)
            head = LUKS_HEAD_BYTES if os.pread(disk.fd, len(LUKS), start) == LUKS else HEAD_BYTES
            disk.zero(start, min(start + head, end))
            disk.zero(max(start, end - TAIL_BYTES), end)
        disk.sync()
        disk.reread()


def erase_everything(path):
    with Disk(path) as disk:
        try:
            run(['blkdiscard', '--force', '--secure', path], timeout_s=DISCARD_TIMEOUT_S)
        except Failure:
            # The disk knows no secure discard.
            overwrite(disk)
        disk.reread()
    erase_metadata(path)


def overwrite(disk):
    failures = []
    for at in range(0, disk.size_bytes, CHUNK):
        try:
            disk.zero(at, at + CHUNK)
            if (at + CHUNK) % FLUSH_EVERY_BYTES == 0:
                os.fdatasync(disk.fd)
        except OSError as error:
            if error.errno != errno.EIO or len(failures) == FAILURES_LIMIT:
                raise
            failures.append(at)
    disk.sync()
    if failures:
        raise Failure(f'{len(failures)} places could not be overwritten, the first at {failures[0] / MIB:.0f} MiB')


def erase(path, what):
    """@returns why it was passed over, or None"""
    if attribute(path, 'removable') == '1':
        return 'it is removable'
    if attribute(path, 'ro') == '1':
        if what == 'metadata':
            return 'it is read-only'
        raise Failure('it is read-only, so its data stays. Take it out, or name it in properties/skip_block_devices.')
    if what == 'metadata':
        erase_metadata(path)
    else:
        erase_everything(path)
    return None


def main():
    module = AnsibleModule(
        argument_spec={
            'what': {'required': True, 'choices': ['metadata', 'everything']},
            'disks': {'type': 'list', 'elements': 'str'},
            'agent_socket': {'default': AGENT_SOCKET},
        }
    )
    names, erased, failures = module.params['disks'], [], []
    try:
        if names is None:
            names = [disk['name'] for disk in ask_agent(module.params['agent_socket'], '/erasable-disks', {})]
    except Failure as failure:
        module.fail_json(msg=str(failure))
    for name in names:
        try:
            why = erase(name, module.params['what'])
            if why is None:
                erased.append(name)
            else:
                module.warn(f'{name} is passed over: {why}.')
        except (Failure, OSError) as failure:
            failures.append(f'"{name}": {failure}')
    if failures:
        module.fail_json(msg=f'Failed to erase the device(s): {"; ".join(failures)}', erased=erased)
    module.exit_json(changed=bool(erased), erased=erased)


if __name__ == '__main__':
    main()
