# Runs scripts against the host's own pty and prints what happened: the oracle of src/drivers/tty/differential.test.ts.
# stdin: {"wait": ms, "cases": [[step, ...], ...]}; a step is ["set", hex termios], ["in", hex], ["read", n], ["out", hex],
# ["flush", queue], ["flow", action], ["avail"]. stdout: for each step [result, hex of what the terminal showed].
# A result is a count, hex bytes (read), or -errno.
import fcntl, json, os, pty, select, struct, sys, time

TCSETS, TCXONC, TCFLSH, FIONREAD, TIOCSPTLCK = 0x5402, 0x540A, 0x540B, 0x541B, 0x40045431

def quiet(master, slave, wait):
    """Let the kernel's workers move what was written; poll of a pty end flushes its queue."""
    shown = b''
    poller = select.poll()
    poller.register(master, select.POLLIN)
    other = select.poll()
    other.register(slave, select.POLLIN)
    other.poll(0)
    end = time.monotonic() + wait / 1000
    while True:
        left = max(0, (end - time.monotonic()) * 1000)
        if poller.poll(left):
            shown += os.read(master, 65536)
        elif left <= 0:
            return shown

def step(master, slave, kind, arg):
    try:
        if kind == 'set':
            fcntl.ioctl(slave, TCSETS, bytes.fromhex(arg)); return 0
        if kind == 'in':
            return os.write(master, bytes.fromhex(arg))
        if kind == 'read':
            return os.read(slave, arg).hex()
        if kind == 'out':
            return os.write(slave, bytes.fromhex(arg))
        if kind == 'flush':
            fcntl.ioctl(slave, TCFLSH, arg); return 0
        if kind == 'flow':
            fcntl.ioctl(slave, TCXONC, arg); return 0
        if kind == 'avail':
            return struct.unpack('i', fcntl.ioctl(slave, FIONREAD, b'\0' * 4))[0]
    except OSError as e:
        return -e.errno

def run(case, wait):
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    os.set_blocking(slave, False)
    out = []
    for s in case:
        result = step(master, slave, s[0], s[1] if len(s) > 1 else 0)
        out.append([result, quiet(master, slave, wait if s[0] != 'avail' else 0).hex()])
    os.close(slave)
    os.close(master)
    return out

job = json.load(sys.stdin)
json.dump([run(c, job['wait']) for c in job['cases']], sys.stdout)
