#!/usr/bin/python
"""
Writes an image to a disk or a partition, verified. The first MiB is written last: what is cut off, or does not have
its checksum, does not boot.

url            of the image
format         raw (also gpt, iso: as they come), or qcow2, which is converted in memory
target         disk or partition
whole_disk     target is a disk, and the image brings a partition table
checksum       ALGORITHM:HEX, or HEX of md5, sha256 or sha512
os_hash_algo, os_hash_value  come before checksum
variants       [{encoding, checksum: {algorithm, value}}]: compressed forms at the same address, by Accept-Encoding;
               what came so is verified as it came
validate_certs, cafile, client_cert, client_key  for https
"""

import hashlib
import http.client
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zlib

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackstrap import MIB, Disk, Failure, run

GRAIN = 64 * 1024
ZEROS = bytes(MIB)
FLUSH_EVERY_BYTES = 64 * MIB
AS_IT_COMES = ('raw', 'gpt', 'iso')
BY_LENGTH = {32: 'md5', 64: 'sha256', 128: 'sha512'}
ATTEMPTS, TIMEOUT_S = 5, 60
NETWORK_ERRORS = (OSError, http.client.HTTPException)


class Wire:
    """The bytes of one answer as they come; a cut is mended by Range when the answer has a strong ETag."""

    def __init__(self, params):
        self.url, self.done, self.total = params['url'], 0, None
        handlers = [urllib.request.ProxyHandler({})]
        if self.url.startswith('https:'):
            handlers.append(urllib.request.HTTPSHandler(context=tls_context(params)))
        self.opener = urllib.request.build_opener(*handlers)

    def request(self, headers, method='GET'):
        return self.opener.open(urllib.request.Request(self.url, headers=headers, method=method), timeout=TIMEOUT_S)

    def plain_size(self):
        """What it will be when unpacked; None: the server does not say."""
        try:
            with self.request({'Accept-Encoding': 'identity'}, 'HEAD') as answer:
                return int(answer.headers['Content-Length'])
        except (*NETWORK_ERRORS, TypeError, ValueError):
            return None

    def open(self, encodings):
        """@returns the encoding of what will come"""
        self.accept = ', '.join(encodings) or 'identity'
        self.answer = self._try({})
        self.total = int(self.answer.headers.get('Content-Length') or -1)
        self.etag = self.answer.headers.get('ETag', '')
        encoding = self.answer.headers.get('Content-Encoding', 'identity')
        if encoding not in ('identity', *encodings):
            raise Failure(f'{self.url} came as {encoding}, which was not asked for.')
        return encoding

    def _try(self, more):
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self.request({'Accept-Encoding': self.accept, **more})
            except urllib.error.HTTPError as error:
                if error.code < 500 or attempt == ATTEMPTS:
                    raise Failure(f'{self.url} answers with status {error.code}, expected 200.') from error
            except NETWORK_ERRORS as error:
                if attempt == ATTEMPTS:
                    raise Failure(f'{self.url} cannot be reached: {error}.') from error
            time.sleep(attempt)
        raise AssertionError

    def __iter__(self):
        while True:
            try:
                chunk = self.answer.read(MIB)
                if chunk:
                    self.done += len(chunk)
                    yield chunk
                    continue
                if self.total in (-1, self.done):
                    return
                why = f'it ended after {self.done} of {self.total} bytes'
            except NETWORK_ERRORS as error:
                why = str(error)
            if not self.etag.startswith('"'):
                raise Failure(f'{self.url} broke off and cannot be resumed: {why}.')
            self.answer = self._try({'Range': f'bytes={self.done}-', 'If-Range': self.etag})
            if not self.answer.headers.get('Content-Range', '').startswith(f'bytes {self.done}-'):
                raise Failure(f'{self.url} broke off ({why}), and has changed since. Deploy again.')


def tls_context(params):
    context = ssl.create_default_context(cafile=params['cafile'])
    if not params['validate_certs']:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if params['client_cert']:
        context.load_cert_chain(params['client_cert'], params['client_key'])
    return context


def expected_checksum(params):
    """@returns algorithm, hex"""
    algorithm, value = params['os_hash_algo'], params['os_hash_value']
    if not (algorithm and value):
        algorithm, _, value = (params['checksum'] or '').rpartition(':')
        algorithm = algorithm or BY_LENGTH.get(len(value))
    if not value or algorithm not in hashlib.algorithms_available:
        raise Failure(
            'The image has no checksum that could be verified here: set image_os_hash_algo and image_os_hash_value, or '
            'image_checksum.'
        )
    return algorithm, value.lower()


def hashed(chunks, digest):
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def gunzip(chunks):
    decoder = zlib.decompressobj(31)
    for chunk in chunks:
        while chunk:
            yield decoder.decompress(chunk, MIB)
            chunk = decoder.unconsumed_tail
            if decoder.eof:
                chunk = decoder.unused_data
                decoder = zlib.decompressobj(31)


def unzstd(chunks):
    with subprocess.Popen(['zstd', '-dcq'], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        failures = []

        def feed():
            try:
                for chunk in chunks:
                    child.stdin.write(chunk)
            except Exception as error:  # handed on below
                failures.append(error)
            finally:
                try:
                    child.stdin.close()
                except OSError:
                    # The child has ended; its code says why.
                    pass

        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        try:
            while True:
                data = child.stdout.read(MIB)
                if not data:
                    break
                yield data
        finally:
            child.kill() if feeder.is_alive() else None
        feeder.join()
        code = child.wait()
        if failures and not isinstance(failures[0], BrokenPipeError):
            raise failures[0]
        if code != 0:
            raise Failure('What came as zstd cannot be decompressed.')


DECODERS = {'identity': iter, 'gzip': gunzip, 'zstd': unzstd}


class SparseWriter:
    """Writes all but the first MiB, which it keeps, and but zeros where the disk holds some already."""

    def __init__(self, disk, size_bytes):
        self.disk, self.at, self.head, self.pending, self.written = disk, 0, None, bytearray(), 0
        self.zeros_until = 0 if size_bytes is None else self._discard(size_bytes)
        disk.zero(0, MIB)
        disk.sync()

    def _discard(self, size_bytes):
        length = min(-(-size_bytes // GRAIN) * GRAIN, self.disk.size_bytes)
        try:
            run(['fallocate', '--punch-hole', '--offset', '0', '--length', str(length), self.disk.path], 1800)
            return length
        except Failure:
            # Not every disk promises zeros afterwards: they are written like any other data.
            return 0

    def write(self, data):
        self.pending += data
        while len(self.pending) >= MIB:
            self._put(bytes(self.pending[:MIB]))
            del self.pending[:MIB]

    def _put(self, block):
        if self.at + len(block) > self.disk.size_bytes:
            raise too_large(self.disk, f'more than {self.disk.size_bytes}')
        if self.head is None:
            self.head = block
        elif block != ZEROS or self.at + MIB > self.zeros_until:
            self._put_grains(block)
        self.at += len(block)
        if self.at % FLUSH_EVERY_BYTES == 0:
            os.fdatasync(self.disk.fd)
            os.posix_fadvise(self.disk.fd, 0, self.at, os.POSIX_FADV_DONTNEED)

    def _put_grains(self, block):
        start = None
        for at in [*range(0, len(block), GRAIN), len(block)]:
            grain = block[at : at + GRAIN]
            needed = bool(grain) and (
                self.at + at + len(grain) > self.zeros_until or grain != ZEROS[: len(grain)]
            )
            if needed and start is None:
                start = at
            if not needed and start is not None:
                self.disk.write(self.at + start, block[start:at])
                self.written += at - start
                start = None

    def flush(self):
        if self.pending:
            self._put(bytes(self.pending))
            self.pending.clear()
        self.disk.sync()

    def finish(self):
        self.disk.write(0, self.head)
        self.written += len(self.head)
        self.disk.sync()


def too_large(disk, found):
    return Failure(
        f'The image has {found} bytes, and {disk.path} has {disk.size_bytes}. Name a larger disk in '
        'properties/root_device, or give the root partition more (root_gb).'
    )


def write_raw(params, disk):
    wanted = expected_checksum(params)
    wire = Wire(params)
    size_bytes = wire.plain_size()
    if size_bytes is not None and size_bytes > disk.size_bytes:
        raise too_large(disk, size_bytes)
    variants = {v['encoding']: v['checksum'] for v in params['variants'] if v.get('encoding') in DECODERS}
    known = [name for name in ('zstd', 'gzip') if name != 'zstd' or shutil.which('zstd')]
    # An unasked-for checksum of all that is unpacked costs more than the network saves.
    encoding = wire.open([name for name in known if name in variants] or known)
    if encoding in variants:
        wanted = variants[encoding]['algorithm'], variants[encoding]['value'].lower()
    digest = hashlib.new(wanted[0])
    if encoding in variants:
        content = DECODERS[encoding](hashed(wire, digest))
    else:
        content = hashed(DECODERS[encoding](wire), digest)
    writer = SparseWriter(disk, size_bytes)
    for chunk in content:
        writer.write(chunk)
    writer.flush()
    verify(wire.url, wanted, digest)
    finish(params, disk, writer)
    return {'encoding': encoding, 'received_bytes': wire.done, 'size_bytes': writer.at, 'written_bytes': writer.written}


def verify(url, wanted, digest):
    if digest.hexdigest() == wanted[1]:
        return
    raise Failure(
        f'Image failed to verify against checksum. location: {url}; image checksum: {wanted[1]}; verification checksum: '
        f'{digest.hexdigest()} ({wanted[0]})'
    )


def finish(params, disk, writer):
    if not writer.head:
        raise Failure(f'{params["url"]} is empty: it has 0 bytes.')
    if params['whole_disk']:
        refuse_without_table(disk, writer.head)
        # An older table's copy, or a RAID's signature, must not come to light there.
        disk.zero(max(writer.at, disk.size_bytes - MIB), disk.size_bytes)
    writer.finish()
    if params['whole_disk']:
        settle_table(disk)


def refuse_without_table(disk, head):
    if head[510:512] != b'\x55\xaa':
        raise Failure(
            f'No partitions found on the device {disk.path} after writing the image. Is it a whole-disk image?'
        )


def settle_table(disk):
    """The copy of a GPT to the disk's end."""
    if any(os.pread(disk.fd, 8, sector) == b'EFI PART' for sector in (512, 4096)):
        try:
            run(['sgdisk', '--move-second-header', disk.path])
        except Failure:
            disk.zero(0, MIB)
            raise
    disk.sync()
    disk.reread()


def write_qcow2(params, disk):
    wanted = expected_checksum(params)
    wire = Wire(params)
    wire.open([])
    refuse_without_memory(wire)
    with tempfile.NamedTemporaryFile(suffix='.qcow2') as file:
        digest = hashlib.new(wanted[0])
        for chunk in hashed(wire, digest):
            file.write(chunk)
        file.flush()
        verify(wire.url, wanted, digest)
        size_bytes = qcow2_size(file.name)
        if size_bytes > disk.size_bytes:
            raise too_large(disk, size_bytes)
        writer = SparseWriter(disk, size_bytes)
        options = ['--target-is-zero'] if writer.zeros_until >= size_bytes else []
        try:
            run(['qemu-img', 'convert', '-n', *options, '-f', 'qcow2', '-O', 'raw', file.name, disk.path], 24 * 3600)
            disk.sync()
            if params['whole_disk']:
                refuse_without_table(disk, os.pread(disk.fd, 512, 0))
                disk.zero(max(size_bytes, disk.size_bytes - MIB), disk.size_bytes)
                settle_table(disk)
        except Failure:
            disk.zero(0, MIB)
            raise
    return {'encoding': 'identity', 'received_bytes': wire.done, 'size_bytes': size_bytes}


def refuse_without_memory(wire):
    with open('/proc/meminfo', encoding='ascii') as file:
        found = dict(line.split(':') for line in file)
    free = int(found['MemAvailable'].split()[0]) * 1024
    if wire.total > free:
        raise Failure(
            f'The image has {wire.total} bytes as qcow2, and the machine has {free} of memory free. Set [DEFAULT] '
            'force_raw_images = True, so that it is converted before it is served.'
        )


def qcow2_size(path):
    """@throws Failure  it wants other files: they would be this machine's"""
    info = json.loads(run(['qemu-img', 'info', '--output=json', '-f', 'qcow2', path]))
    details = info.get('format-specific', {}).get('data', {})
    if info.get('backing-filename') or details.get('data-file'):
        raise Failure('The image names a backing file or a data file, and is refused.')
    return info['virtual-size']


def main():
    text = ('checksum', 'os_hash_algo', 'os_hash_value', 'cafile', 'client_cert', 'client_key')
    module = AnsibleModule(
        argument_spec={
            'url': {'required': True},
            'format': {'default': 'raw'},
            'target': {'required': True},
            'whole_disk': {'type': 'bool', 'required': True},
            'variants': {'type': 'list', 'elements': 'dict', 'default': []},
            'validate_certs': {'type': 'bool', 'default': True},
            # Paths, no secrets.
            **{name: {'no_log': False} for name in text},
        }
    )
    params = module.params
    try:
        if params['format'] not in (*AS_IT_COMES, 'qcow2'):
            raise Failure(
                f'The image has disk_format {params["format"]}: these playbooks write raw and qcow2. Set [DEFAULT] '
                'force_raw_images = True, so that it is converted before it is served.'
            )
        with Disk(params['target']) as disk:
            result = write_qcow2(params, disk) if params['format'] == 'qcow2' else write_raw(params, disk)
    except (Failure, OSError, http.client.HTTPException, zlib.error) as failure:
        module.fail_json(msg=str(failure))
    module.exit_json(changed=True, **result)


if __name__ == '__main__':
    main()
