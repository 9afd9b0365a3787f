"""sushy-tools' emulator with a driver of our own: its systems are machines behind the rack's hooks, by its other
drivers' contract. Usage: rack_driver.py CONFIG, where CONFIG names RACK_HOOK_PORT and RACK_SYSTEMS.

A hook is asked as ipmi_sim asks: NAME get power, NAME set power 1, NAME set boot pxe, NAME set cdrom PATH.
"""
import socket
import sys

from sushy_tools import error
from sushy_tools.emulator import main
from sushy_tools.emulator.resources.systems import fakedriver
from sushy_tools.emulator.resources.systems.base import AbstractSystemsDriver

BOOT = {'Pxe': 'pxe', 'Hdd': 'default', 'Cd': 'cdrom'}
TARGETS = {word: target for target, word in BOOT.items()}
BIOS = {'NumCores': '4', 'ProcTurboMode': 'Enabled'}
VERSIONS = {'BiosVersion': '1.0.0'}


class RackDriver(AbstractSystemsDriver):
    @classmethod
    def initialize(cls, config, logger):
        cls._systems = {system['uuid']: dict(system) for system in config['RACK_SYSTEMS']}
        cls._port = config['RACK_HOOK_PORT']
        return cls

    def _system(self, identity):
        for system in self._systems.values():
            if identity == system['name']:
                raise error.AliasAccessError(system['uuid'])
        if identity not in self._systems:
            raise error.NotFound(f'The rack has no system {identity}')
        return self._systems[identity]

    def _ask(self, identity, *words):
        with socket.create_connection(('127.0.0.1', self._port), timeout=30) as hook:
            hook.sendall((' '.join([self._system(identity)['name'], *words]) + '\n').encode())
            answer = b''
            while chunk := hook.recv(4096):
                answer += chunk
        if answer == b'':
            raise error.FishyError(f'The machine does not follow "{" ".join(words)}"', code=500)
        return dict(line.split(':', 1) for line in answer.decode().split('\n') if ':' in line)

    @property
    def driver(self):
        return '<rack>'

    @property
    def systems(self):
        return list(self._systems)

    def uuid(self, identity):
        return self._system(identity)['uuid']

    def name(self, identity):
        return self._system(identity)['name']

    def get_power_state(self, identity):
        return 'On' if self._ask(identity, 'get', 'power')['power'] == '1' else 'Off'

    def set_power_state(self, identity, state):
        if state == 'Nmi':
            return self._system(identity).update(nmi=True)
        words = {
            'On': ('power', '1'), 'ForceOn': ('power', '1'), 'ForceOff': ('power', '0'),
            'GracefulShutdown': ('shutdown', '1'), 'GracefulRestart': ('reset', '1'), 'ForceRestart': ('reset', '1'),
        }.get(state)
        if words is None:
            raise error.BadRequest(f'ResetType {state} is not known')
        self._ask(identity, 'set', *words)

    def get_boot_device(self, identity):
        return TARGETS[self._ask(identity, 'get', 'boot')['boot']]

    def set_boot_device(self, identity, boot_source):
        if boot_source not in BOOT:
            raise error.BadRequest(f'Boot source {boot_source} is not known')
        self._ask(identity, 'set', 'boot', BOOT[boot_source])

    def get_boot_mode(self, identity):
        return self._system(identity)['boot_mode']

    def set_boot_mode(self, identity, boot_mode):
        self._system(identity)['boot_mode'] = boot_mode

    def get_secure_boot(self, identity):
        return self._system(identity).get('secure_boot', False)

    def set_secure_boot(self, identity, secure):
        self._system(identity)['secure_boot'] = secure

    def get_total_memory(self, identity):
        return 1

    def get_total_cpus(self, identity):
        return 1

    def get_bios(self, identity):
        return dict(self._system(identity).setdefault('bios', dict(BIOS)))

    def set_bios(self, identity, attributes):
        self._system(identity).setdefault('bios', dict(BIOS)).update(attributes)

    def reset_bios(self, identity):
        self._system(identity)['bios'] = dict(BIOS)

    def get_versions(self, identity):
        return dict(self._system(identity).setdefault('versions', dict(VERSIONS)))

    def set_versions(self, identity, firmware_versions):
        self._system(identity).setdefault('versions', dict(VERSIONS)).update(firmware_versions)

    def get_nics(self, identity):
        mac = self._system(identity)['mac']
        return [{'id': mac, 'mac': mac}]

    def get_boot_image(self, identity, device):
        image = self._system(identity).get('images', {}).get(device)
        return image, True, bool(image)

    def set_boot_image(self, identity, device, boot_image=None, write_protected=True):
        self._system(identity).setdefault('images', {})[device] = boot_image
        if device == 'Cd':
            self._ask(identity, 'set', 'cdrom', boot_image or '-')


fakedriver.FakeDriver = RackDriver
sys.argv = [sys.argv[0], '--config', sys.argv[1], '--fake']
sys.exit(main.main())
