"""A third party's hardware manager for a stock ironic-python-agent: it writes the operating system by itself.

It knows ironic-python-agent alone, and nothing of who deploys.
"""
import subprocess
import urllib.request

from ironic_python_agent import errors
from ironic_python_agent import hardware
from ironic_python_agent import partition_utils

PIECE = 4 * 1024 * 1024
ZEROS = bytes(PIECE)


class AcmeHardwareManager(hardware.HardwareManager):
    HARDWARE_MANAGER_NAME = 'AcmeHardwareManager'
    HARDWARE_MANAGER_VERSION = '1'

    def evaluate_hardware_support(self):
        return hardware.HardwareSupport.SERVICE_PROVIDER

    def get_deploy_steps(self, node, ports):
        return [
            {
                'step': 'acme_write',
                'priority': 70,
                'interface': 'deploy',
                'reboot_requested': False,
            },
            {
                'step': 'acme_label',
                'priority': 0,
                'interface': 'deploy',
                'reboot_requested': False,
                'argsinfo': {
                    'text': {'description': 'What the label says.',
                             'required': True},
                    'partition': {'description': 'Number of its partition.',
                                  'required': False},
                },
            },
        ]

    def acme_write(self, node, ports):
        address = node['instance_info'].get('acme_image')
        if not address:
            raise errors.DeploymentError('instance_info/acme_image is not set')
        device = hardware.dispatch_to_managers('get_os_install_device',
                                               permit_refresh=True)
        with urllib.request.urlopen(address) as image, \
                open(device, 'r+b', buffering=0) as disk:
            while piece := read_piece(image):
                if piece == ZEROS[:len(piece)]:
                    disk.seek(len(piece), 1)
                else:
                    disk.write(piece)
        subprocess.run(['sync'], check=True)
        subprocess.run(['partprobe', device], check=True)
        drive = node['instance_info'].get('configdrive')
        if drive:
            partition_utils.create_config_drive_partition(
                node['uuid'], device, drive)

    def acme_label(self, node, ports, text, partition=1):
        device = hardware.dispatch_to_managers('get_os_install_device')
        subprocess.run(['sgdisk', f'--change-name={partition}:{text}', device],
                       check=True)


def read_piece(image):
    """A whole piece, or what is left."""
    piece = image.read(PIECE)
    while piece and len(piece) < PIECE and (more := image.read(
            PIECE - len(piece))):
        piece += more
    return piece
