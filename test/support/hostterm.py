# A program on a terminal of its own, ended one way or another: were the terminal's settings raw meanwhile and as before afterwards?
# argv: how ("exit", "error", "stop", or a signal number), then the command. The program prints "ready" once the terminal is raw.
# Output: JSON {"during": raw?, "after": same as before?, "status": wait status}.
import json, os, pty, select, signal, sys, termios, time

how, command = sys.argv[1], sys.argv[2:]
master, slave = pty.openpty()
before = termios.tcgetattr(slave)
before[6][termios.VERASE] = b'\x08'  # something of the user's own
termios.tcsetattr(slave, termios.TCSANOW, before)
before = termios.tcgetattr(slave)

def wait_for(test, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if test():
            return True
        time.sleep(0.005)
    return False

pid = os.fork()
if pid == 0:
    os.setsid()
    os.close(master)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    import fcntl
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.execvp(command[0], command)

shown = b''
def ready():
    global shown
    while select.select([master], [], [], 0)[0]:
        shown += os.read(master, 4096)
    return b'ready' in shown

def is_raw():
    t = termios.tcgetattr(slave)
    return t[3] & (termios.ICANON | termios.ECHO | termios.ISIG) == 0 and t[1] & termios.OPOST == 0

result = {'ready': wait_for(ready), 'during': is_raw()}
if how == 'exit':
    os.write(master, b'exit')
elif how == 'error':
    os.write(master, b'throw')
elif how == 'stop':
    os.kill(pid, signal.SIGTSTP)
    _, status = os.waitpid(pid, os.WUNTRACED)
    result['stopped'] = os.WIFSTOPPED(status) and termios.tcgetattr(slave) == before
    os.kill(pid, signal.SIGCONT)
    result['continued'] = wait_for(is_raw)
    os.write(master, b'exit')
else:
    time.sleep(0.3)  # the safety net has started
    os.kill(pid, int(how))
_, result['status'] = os.waitpid(pid, 0)
result['after'] = wait_for(lambda: termios.tcgetattr(slave) == before, 5)
json.dump(result, sys.stdout)
