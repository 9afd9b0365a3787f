#!/usr/bin/python
"""
Partitions a disk for a partition image. The same arguments make the same table, so it may be cut off and run again.
Sets the facts ironic_partitions (name to path: root, and bios, efi, ephemeral, swap where there are such) and
ironic_boot_mode (bios, uefi: as the machine has booted).

device          the disk
partition_info  as ironic.partition_info: label, preserve_ephemeral, and of `partitions` the sizes of root, swap and
                ephemeral. The config drive is no partition of these: it goes to the disk's end.
efi_mib         size of the EFI system partition
tail_mib        left free at the end
boot_mode       left out: as the machine has booted
"""

import json
import os
import re

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackstrap import MIB, Disk, Failure, partition_path, run

GPT_TYPES = {
    'bios': '21686148-6449-6E6F-744E-656564454649',
    'efi': 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
    'swap': '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F',
    'ephemeral': '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
    'root': '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
}
MBR_TYPES = {'swap': '82', 'ephemeral': '83', 'root': '83'}
HEAD_BYTES = 4 * MIB
MIB_SIZE = re.compile(r'^(\d+)MiB$')


def mib_of(text):
    found = MIB_SIZE.match(str(text))
    if found is None:
        raise Failure(f'ironic.partition_info has {text!r} as a place on the disk: a number of MiB is expected.')
    return int(found.group(1))


def layout(params, boot_mode):
    """@returns label, and [name, start, size] in MiB in the order of the disk"""
    info = params['partition_info']
    given = info.get('partitions', {})
    if 'root' not in given:
        raise Failure('ironic.partition_info has no root partition: set root_gb of the instance.')
    label = 'gpt' if boot_mode == 'uefi' else info.get('label', 'msdos')
    sizes = {name: mib_of(p['part_end']) - mib_of(p['part_start']) for name, p in given.items()}
    first = [('efi', params['efi_mib'])] if boot_mode == 'uefi' else [('bios', 1)] if label == 'gpt' else []
    rest = [(name, sizes[name]) for name in ('ephemeral', 'swap', 'root') if name in sizes]
    start, placed = 1, []
    for name, size in first + rest:
        placed.append((name, start, size))
        start += size
    return label, placed


def script(label, placed):
    lines = [f'label: {"gpt" if label == "gpt" else "dos"}', 'unit: sectors']
    for name, start, size in placed:
        place = f'start={start * 2048}, size={size * 2048}'
        if label == 'gpt':
            lines.append(f'{place}, type={GPT_TYPES[name]}, name="{name}"')
        else:
            lines.append(f'{place}, type={MBR_TYPES[name]}{", bootable" if name == "root" else ""}')
    return '\n'.join(lines) + '\n'


def refuse_other_ephemeral(path, placed):
    """What is to be preserved lies where it would lie now, or nothing is written."""
    number, (_, start, size) = next((n, p) for n, p in enumerate(placed, 1) if p[0] == 'ephemeral')
    try:
        found = json.loads(run(['sfdisk', '--json', path]))['partitiontable']['partitions'][number - 1]
    except (Failure, ValueError, KeyError, IndexError):
        found = {}
    if (found.get('start'), found.get('size')) != (start * 2048, size * 2048):
        raise Failure(
            f'preserve_ephemeral is set, and partition {number} of {path} is not an ephemeral partition of {size} MiB '
            f'at {start} MiB: nothing was written. Set the sizes that the instance was deployed with, or do not '
            'preserve it.'
        )


def partition(params, boot_mode):
    path, info = params['device'], params['partition_info']
    label, placed = layout(params, boot_mode)
    preserve = str(info.get('preserve_ephemeral', 'no')).lower() in ('yes', 'true', '1')
    preserve = preserve and any(name == 'ephemeral' for name, _, _ in placed)
    with Disk(path) as disk:
        needed = (placed[-1][1] + placed[-1][2] + params['tail_mib']) * MIB
        if needed > disk.size_bytes:
            raise Failure(
                f'{path} has {disk.size_bytes // MIB} MiB, and the partitions need {needed // MIB}: nothing was written. '
                'Name a larger disk in properties/root_device, or ask for less.'
            )
        if preserve:
            refuse_other_ephemeral(path, placed)
        else:
            disk.zero(0, HEAD_BYTES)
        disk.zero(disk.size_bytes - MIB, disk.size_bytes)
        disk.sync()
        options = ['--quiet', '--no-reread', '--no-tell-kernel', '--wipe', 'never', '--wipe-partitions', 'never']
        run(['sfdisk', *options, path], stdin=script(label, placed))
        if not preserve:
            # What lay there before may look like a file system of today.
            for _, start, size in placed:
                disk.zero(start * MIB, min(start + 4, start + size) * MIB)
        disk.sync()
        disk.reread()
    return {name: partition_path(path, number) for number, (name, _, _) in enumerate(placed, 1)}


def main():
    module = AnsibleModule(
        argument_spec={
            'device': {'required': True},
            'partition_info': {'type': 'dict', 'required': True},
            'efi_mib': {'type': 'int', 'default': 200},
            'tail_mib': {'type': 'int', 'default': 1},
            'boot_mode': {'choices': ['bios', 'uefi']},
        }
    )
    boot_mode = module.params['boot_mode'] or ('uefi' if os.path.isdir('/sys/firmware/efi') else 'bios')
    try:
        partitions = partition(module.params, boot_mode)
    except (Failure, OSError) as failure:
        module.fail_json(msg=str(failure))
    module.exit_json(
        changed=True, ansible_facts={'ironic_partitions': partitions, 'ironic_boot_mode': boot_mode}
    )


if __name__ == '__main__':
    main()
