#!/usr/bin/python
"""
Makes a partition image boot by the GRUB that is in it. All mounts are in a namespace of this process, and end with it.

device     the disk
root       partition with the image
boot_mode  bios, uefi
efi        the EFI system partition, with uefi
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackstrap import Disk, Failure, run

TIMEOUT_S = 1200
UEFI_TARGETS = {'x86_64': 'x86_64-efi', 'aarch64': 'arm64-efi'}

# $1 root partition, $2 disk, $3 GRUB's target, $4 EFI system partition or nothing
SCRIPT = r'''
stop() { echo "$1" >&2; exit 1; }
# busybox's shell would take its own, which know less.
mount() { /usr/bin/mount "$@"; }
umount() { /usr/bin/umount "$@"; }
blkid() { /usr/sbin/blkid "$@"; }
at=/run/image-root
# Where the root is no mount of its own there is nothing to make private.
mount --make-rprivate / 2>/dev/null || :
mkdir -p "$at" /dev/disk/by-uuid
mount "$1" "$at" || stop "The root file system of the image cannot be mounted: is it a partition image?"
for name in grub-install grub2-install; do [ -x "$at/usr/sbin/$name" ] && install=$name; done
for name in grub-mkconfig grub2-mkconfig; do [ -x "$at/usr/sbin/$name" ] && mkconfig=$name; done
[ -n "${install:-}" ] && [ -n "${mkconfig:-}" ] ||
  stop "The image has no grub-install and grub-mkconfig in usr/sbin, so nothing would boot it."
[ -d "$at/usr/lib/grub/$3" ] ||
  stop "The image has GRUB, but not for $3 (usr/lib/grub/$3), which this machine boots by."
folder=${install%-install}
# grub-mkconfig names the root file system by its UUID only when it finds this link, which udev makes elsewhere.
uuid=$(blkid -s UUID -o value "$1")
[ -z "$uuid" ] || ln -sf "$1" "/dev/disk/by-uuid/$uuid"
for folder_of_kernel in dev proc sys; do
  mkdir -p "$at/$folder_of_kernel"
  mount --bind "/$folder_of_kernel" "$at/$folder_of_kernel"
done
if [ -n "$4" ]; then
  mkdir -p "$at/boot/efi"
  mount "$4" "$at/boot/efi"
  chroot "$at" "/usr/sbin/$install" --target="$3" --efi-directory=/boot/efi --removable --no-nvram
  efi_uuid=$(blkid -s UUID -o value "$4")
  grep -qs '[[:space:]]/boot/efi[[:space:]]' "$at/etc/fstab" ||
    echo "UUID=$efi_uuid /boot/efi vfat umask=0077,nofail 0 1" >>"$at/etc/fstab"
else
  chroot "$at" "/usr/sbin/$install" --target="$3" "$2"
fi
mkdir -p "$at/boot/$folder"
chroot "$at" "/usr/sbin/$mkconfig" -o "/boot/$folder/grub.cfg"
sync
umount -R "$at"
'''


def main():
    module = AnsibleModule(
        argument_spec={
            'device': {'required': True},
            'root': {'required': True},
            'boot_mode': {'required': True, 'choices': ['bios', 'uefi']},
            'efi': {},
        },
        required_if=[('boot_mode', 'uefi', ('efi',))],
    )
    device, root, efi = (module.params[name] for name in ('device', 'root', 'efi'))
    target = UEFI_TARGETS.get(os.uname().machine, '') if module.params['boot_mode'] == 'uefi' else 'i386-pc'
    try:
        with Disk(device, exclusive=False):
            alone = ['unshare', '--mount', '--propagation', 'unchanged']
            run([*alone, 'sh', '-euc', SCRIPT, 'sh', root, device, target, efi or ''], timeout_s=TIMEOUT_S)
    except (Failure, OSError) as failure:
        module.fail_json(msg=str(failure).replace(SCRIPT, '...'))
    module.exit_json(changed=True)


if __name__ == '__main__':
    main()
