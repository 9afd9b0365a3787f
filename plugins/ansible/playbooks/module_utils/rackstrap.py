"""What the modules of these playbooks share: the agent on the machine, and disks that one run at a time writes to."""

import errno
import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import time

AGENT_SOCKET = '/run/rackstrap/agent.sock'
AGENT_TIMEOUT_S = 300
TAKE_OVER_S = 60
MIB = 1024 * 1024
BLKRRPART = 0x125F


class Failure(Exception):
    """One sentence for the operator."""


class Agent(http.client.HTTPConnection):
    """Our agent in the deploy ramdisk, by the socket that the layer `ssh` opens."""

    def __init__(self, path):
        super().__init__('agent', timeout=AGENT_TIMEOUT_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask_agent(path, question, body):
    """@returns JSON of the agent's answer. @throws Failure  what the agent says, or that there is none"""
    agent = Agent(path)
    try:
        agent.request('POST', question, json.dumps(body), {'content-type': 'application/json'})
        answer = agent.getresponse()
        found = json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Failure(
            f'The agent does not answer at {path} ({error}). These playbooks need the deploy ramdisk of this appliance, '
            'built with the layer ssh; in another one set ironic_root_device in a role "discover" of your own.'
        ) from error
    finally:
        agent.close()
    if answer.status == 200:
        return found
    raise Failure(found.get('error', f'The agent answered with status {answer.status}.'))


def run(args, timeout_s=600, stdin=None):
    """@returns standard output. @throws Failure  the end of what it wrote to standard error"""
    try:
        done = subprocess.run(args, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False)
    except FileNotFoundError as error:
        raise Failure(f'{args[0]} is not in the deploy ramdisk.') from error
    except subprocess.TimeoutExpired as error:
        raise Failure(f'{" ".join(args)} did not end within {timeout_s} s.') from error
    if done.returncode == 0:
        return done.stdout
    said = (done.stderr.strip() or done.stdout.strip() or f'ended with code {done.returncode}')[-800:]
    raise Failure(f'{" ".join(args)}: {said}')


def whole_disk(path):
    """/dev/vda of /dev/vda2"""
    entry = os.path.realpath(f'/sys/class/block/{os.path.basename(os.path.realpath(path))}')
    if os.path.exists(f'{entry}/partition'):
        return f'/dev/{os.path.basename(os.path.dirname(entry))}'
    return path


class Disk:
    """
    A disk, or a partition, whose disk this process alone works on. A run of a playbook that was cut off on the
    appliance may still be at work there: it is ended first. Regular files stand in for disks.
    """

    def __init__(self, path, exclusive=True):
        self.path = path
        self.locked = whole_disk(path)
        try:
            self.lock = os.open(self.locked, os.O_RDWR)
        except OSError as error:
            raise Failure(f'{self.locked} cannot be opened: {error.strerror}.') from error
        self._take_over()
        try:
            # A block device alone knows O_EXCL so: refused while it is mounted or part of something.
            excl = os.O_EXCL if exclusive and not os.path.isfile(path) else 0
            self.fd = os.open(path, os.O_RDWR | excl)
        except OSError as error:
            raise Failure(f'{path} is in use (mounted, or part of a RAID or a volume): {error.strerror}.') from error
        self.size_bytes = os.lseek(self.fd, 0, os.SEEK_END)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)
        os.close(self.lock)

    def _take_over(self):
        try:
            # What is left of us when the appliance is cut off can be ended as one.
            os.setpgid(0, 0)
        except OSError:
            # Leads a session: its group is its own already.
            pass
        deadline = time.monotonic() + TAKE_OVER_S
        while time.monotonic() < deadline:
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                self._end_holders()
                time.sleep(0.1)
        raise Failure(f'{self.locked} is locked by another process, which did not end within {TAKE_OVER_S} s.')

    def _end_holders(self):
        found = os.stat(self.locked)
        key = f'{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}'
        with open('/proc/locks', encoding='ascii', errors='replace') as locks:
            fields = [line.split() for line in locks]
        for pid in {int(f[4]) for f in fields if len(f) > 5 and f[1] == 'FLOCK' and f[5] == key}:
            try:
                if os.getpgid(pid) == pid:
                    os.killpg(pid, signal.SIGKILL)
                else:
                    os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                # It has ended by itself.
                pass

    def write(self, at, content):
        view = memoryview(content)
        while len(view) > 0:
            done = os.pwrite(self.fd, view, at)
            at += done
            view = view[done:]

    def zero(self, start, end):
        start, end = max(0, start), min(end, self.size_bytes)
        for at in range(start, end, MIB):
            self.write(at, bytes(min(MIB, end - at)))

    def sync(self):
        os.fsync(self.fd)

    def reread(self):
        """Has the kernel read the partition table. A regular file has none that the kernel would know."""
        if os.path.isfile(self.path):
            return
        for _ in range(10):
            try:
                fcntl.ioctl(self.fd, BLKRRPART)
                return
            except OSError as error:
                # Whoever looks for partitions just then makes it busy; a kernel may know no table at all.
                if error.errno != errno.EBUSY:
                    break
                time.sleep(0.3)
        try:
            # An update would not let a new partition lie where another was.
            run(['partx', '--delete', self.path])
        except Failure:
            # There was none.
            pass
        run(['partx', '--add', self.path])


def partition_path(device, number):
    """/dev/vda and 2: /dev/vda2; /dev/nvme0n1 and 2: /dev/nvme0n1p2"""
    return f'{device}p{number}' if device[-1].isdigit() else f'{device}{number}'
