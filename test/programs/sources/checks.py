# Checks of Python's standard library where it leans on the operating system; python3 -m unittest -v checks.
import asyncio, contextlib, ctypes, errno, fcntl, glob, io, mmap, multiprocessing, os, pathlib, pty, resource, select, selectors, shutil
import signal, socket, socketserver, sqlite3, stat, subprocess, sys, tempfile, termios, threading, time, unittest, urllib.request, zipfile
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import shared_memory


def square(n):
    return n * n


def feed(queue, n):
    for i in range(n):
        queue.put((os.getpid() != os.getppid(), i))
    queue.put(None)


def count(lock, value, times):
    for _ in range(times):
        with lock:
            value.value += 1


class Threads(unittest.TestCase):
    def test_many_threads_count(self):
        total, lock = [0], threading.Lock()

        def add():
            for _ in range(1000):
                with lock:
                    total[0] += 1

        threads = [threading.Thread(target=add) for _ in range(50)]
        for t in threads: t.start()
        for t in threads: t.join()
        self.assertEqual(total[0], 50000)

    def test_condition_barrier_event(self):
        barrier, seen = threading.Barrier(5, timeout=10), []
        condition, items = threading.Condition(), []

        def take():
            barrier.wait()
            with condition:
                while not items: condition.wait(10)
                seen.append(items.pop())

        threads = [threading.Thread(target=take) for _ in range(4)]
        for t in threads: t.start()
        barrier.wait()
        for i in range(4):
            with condition:
                items.append(i)
                condition.notify()
        for t in threads: t.join(10)
        self.assertEqual(sorted(seen), [0, 1, 2, 3])
        self.assertFalse(threading.Event().wait(0.01))

    def test_semaphore_timer_local(self):
        s, local, got = threading.Semaphore(2), threading.local(), threading.Event()
        self.assertTrue(s.acquire(timeout=1) and s.acquire(timeout=1))
        self.assertFalse(s.acquire(timeout=0.02))
        local.x = 1
        t = threading.Timer(0.01, lambda: (hasattr(local, 'x') or got.set()))
        t.start()
        self.assertTrue(got.wait(10))

    def test_pool(self):
        with ThreadPoolExecutor(8) as pool:
            self.assertEqual(list(pool.map(square, range(100))), [n * n for n in range(100)])

    def test_native_ids(self):
        ids = set()
        done = threading.Barrier(4)

        def note():
            ids.add(threading.get_native_id())
            done.wait(10)

        for _ in range(3): threading.Thread(target=note).start()
        note()
        self.assertEqual(len(ids), 4)
        self.assertIn(os.getpid(), ids)


class Multiprocessing(unittest.TestCase):
    def test_pool(self):
        with multiprocessing.Pool(3) as pool:
            self.assertEqual(pool.map(square, range(50)), [n * n for n in range(50)])
            self.assertEqual(pool.apply_async(square, (9,)).get(20), 81)

    def test_queue(self):
        queue = multiprocessing.Queue()
        p = multiprocessing.Process(target=feed, args=(queue, 100))
        p.start()
        self.assertEqual([i for ok, i in iter(queue.get, None) if ok], list(range(100)))
        p.join(20)
        self.assertEqual(p.exitcode, 0)

    def test_lock_and_value(self):
        lock, value = multiprocessing.Lock(), multiprocessing.Value('i', 0, lock=False)
        all = [multiprocessing.Process(target=count, args=(lock, value, 200)) for _ in range(4)]
        for p in all: p.start()
        for p in all: p.join(20)
        self.assertEqual(value.value, 800)

    def test_shared_memory(self):
        block = shared_memory.SharedMemory(create=True, size=10000)
        try:
            pid = os.fork()
            if pid == 0:
                other = shared_memory.SharedMemory(block.name)
                other.buf[5000] = 77
                os._exit(0)
            os.waitpid(pid, 0)
            self.assertEqual(block.buf[5000], 77)
        finally:
            block.close()
            block.unlink()

    def test_executor_and_spawn(self):
        with ProcessPoolExecutor(2) as pool:
            self.assertEqual(sum(pool.map(square, range(20))), 2470)
        context = multiprocessing.get_context('spawn')
        here, there = context.Pipe()
        p = context.Process(target=square, args=(3,))
        p.start()
        p.join(20)
        self.assertEqual(p.exitcode, 0)
        here.send([1, 2]), self.assertEqual(there.recv(), [1, 2])

    def test_terminate(self):
        p = multiprocessing.Process(target=time.sleep, args=(100,))
        p.start()
        p.terminate()
        p.join(20)
        self.assertEqual(p.exitcode, -signal.SIGTERM)

    def test_manager(self):
        with multiprocessing.Manager() as manager:
            d = manager.dict()
            p = multiprocessing.Process(target=d.update, args=({'a': 1},))
            p.start()
            p.join(20)
            self.assertEqual(dict(d), {'a': 1})


class Subprocess(unittest.TestCase):
    def test_run(self):
        r = subprocess.run(['sh', '-c', 'cat; echo err >&2; exit 3'], input=b'in', capture_output=True)
        self.assertEqual((r.returncode, r.stdout, r.stderr), (3, b'in', b'err\n'))

    def test_signals_and_timeouts(self):
        p = subprocess.Popen(['sleep', '100'])
        with self.assertRaises(subprocess.TimeoutExpired): p.wait(0.05)
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(20), -signal.SIGINT)
        with self.assertRaises(subprocess.TimeoutExpired): subprocess.run('exec sleep 100', shell=True, timeout=0.05)

    def test_errors(self):
        with self.assertRaises(FileNotFoundError): subprocess.run(['/no/such'])
        with self.assertRaises(PermissionError): subprocess.run(['/etc/passwd'])
        with self.assertRaises(FileNotFoundError): subprocess.run(['true'], cwd='/no/such')

    def test_options(self):
        r, w = os.pipe()
        out = subprocess.check_output(f'echo through >&{w}; pwd; echo $X; umask; ps -o pgid= -p $$ | tr -d " " ; echo $$', shell=True, executable='/bin/bash',
                                      pass_fds=[w], cwd='/usr', env={'X': 'y', 'PATH': os.environ['PATH']}, umask=0o27, start_new_session=True)
        lines = out.decode().split()
        self.assertEqual(lines[:3], ['/usr', 'y', '0027'])
        self.assertEqual(lines[3], lines[4])
        self.assertEqual(os.read(r, 100), b'through\n')

    def test_big_pipes(self):
        data = os.urandom(1 << 20)
        self.assertEqual(subprocess.run(['cat'], input=data, capture_output=True).stdout, data)


class Signals(unittest.TestCase):
    def test_handlers_and_eintr(self):
        seen = []
        old = signal.signal(signal.SIGALRM, lambda n, f: seen.append(n))
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        time.sleep(0.1)
        self.assertEqual(seen, [signal.SIGALRM])
        signal.signal(signal.SIGALRM, old)

    def test_wakeup_fd(self):
        r, w = os.pipe()
        os.set_blocking(w, False)
        old, handler = signal.set_wakeup_fd(w), signal.signal(signal.SIGUSR1, lambda n, f: None)
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertEqual(os.read(r, 10), bytes([signal.SIGUSR1]))
        signal.set_wakeup_fd(old), signal.signal(signal.SIGUSR1, handler)

    def test_sigwait_and_masks(self):
        old = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGRTMIN])
        os.kill(os.getpid(), signal.SIGUSR2)
        self.assertEqual(signal.sigpending(), {signal.SIGUSR2})
        self.assertEqual(signal.sigwait([signal.SIGUSR2]), signal.SIGUSR2)
        self.assertIsNone(signal.sigtimedwait([signal.SIGUSR2], 0.01))
        signal.pthread_kill(threading.get_ident(), signal.SIGRTMIN)
        info = signal.sigwaitinfo([signal.SIGRTMIN])
        self.assertEqual((info.si_signo, info.si_pid, info.si_uid), (signal.SIGRTMIN, os.getpid(), os.getuid()))
        signal.pthread_sigmask(signal.SIG_SETMASK, old)

    def test_children(self):
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, lambda n, f: os._exit(9))
            os.kill(os.getppid(), 0)
            os.kill(os.getpid(), signal.SIGSTOP)
            signal.pause()
        self.assertEqual(os.waitstatus_to_exitcode(0), 0)
        _, status = os.waitpid(pid, os.WUNTRACED)
        self.assertTrue(os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGSTOP)
        os.kill(pid, signal.SIGTERM), os.kill(pid, signal.SIGCONT)
        info = os.waitid(os.P_PID, pid, os.WEXITED)
        self.assertEqual((info.si_pid, info.si_status, info.si_code), (pid, 9, os.CLD_EXITED))


class Memory(unittest.TestCase):
    def test_anonymous_shared(self):
        m = mmap.mmap(-1, 8192)
        if os.fork() == 0:
            m[4096:4100] = b'kids'
            os._exit(0)
        os.wait()
        self.assertEqual(m[4096:4100], b'kids')
        m.close()

    def test_file(self):
        with tempfile.TemporaryFile() as f:
            f.write(b'x' * 10000), f.flush()
            m = mmap.mmap(f.fileno(), 0)
            m[9000:9003] = b'abc'
            m.flush()
            f.seek(9000)
            self.assertEqual(f.read(3), b'abc')
            m.resize(20000)
            self.assertEqual((len(m), os.fstat(f.fileno()).st_size, m.find(b'abc')), (20000, 20000, 9000))
            m.move(0, 9000, 3), self.assertEqual(m[:3], b'abc')
            m.close()

    def test_private_and_readonly(self):
        with tempfile.NamedTemporaryFile() as f:
            f.write(b'same' * 2000), f.flush()
            m = mmap.mmap(f.fileno(), 8000, access=mmap.ACCESS_COPY)
            m[0:4] = b'mine'
            self.assertEqual(pathlib.Path(f.name).read_bytes()[:4], b'same')
            r = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
            with self.assertRaises(TypeError): r[0] = 1
            r.madvise(mmap.MADV_WILLNEED)

    def test_code(self):
        m = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        m.write(b'\xb8\x2a\x00\x00\x00\xc3')
        address = ctypes.addressof(ctypes.c_char.from_buffer(m))
        self.assertEqual(ctypes.CFUNCTYPE(ctypes.c_int)(address)(), 42)


class Terminals(unittest.TestCase):
    def test_fork(self):
        pid, fd = pty.fork()
        if pid == 0:
            os.write(1, b'tty' if os.isatty(0) and os.ttyname(0) else b'none')
            os.write(1, sys.stdin.readline().upper().encode())
            os._exit(5)
        os.write(fd, b'typed\n')
        got = b''
        with contextlib.suppress(OSError):
            while True: got += os.read(fd, 100)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 5)
        self.assertIn(b'TYPED', got)
        self.assertIn(b'tty', got)

    def test_settings(self):
        master, slave = pty.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        os.write(master, b'x')
        self.assertEqual(os.read(slave, 10), b'x')
        termios.tcsetwinsize(master, (30, 90))
        self.assertEqual(tuple(os.get_terminal_size(slave)), (90, 30))
        os.close(slave)
        with self.assertRaises(OSError) as e: os.read(master, 1)
        self.assertEqual(e.exception.errno, errno.EIO)


class Files(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(dir='.'))

    def tearDown(self):
        shutil.rmtree(self.dir)

    def test_locks(self):
        f = open(self.dir / 'f', 'w')
        fcntl.flock(f, fcntl.LOCK_EX)
        with open(self.dir / 'f') as g, self.assertRaises(BlockingIOError): fcntl.flock(g, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(f, fcntl.LOCK_EX, 10, 5)
        pid = os.fork()
        if pid == 0:
            try: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 0)
            except OSError as e: os._exit(e.errno)
            os._exit(0)
        self.assertIn(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), (errno.EAGAIN, errno.EACCES))

    def test_descriptors(self):
        fd = os.open(self.dir, os.O_TMPFILE | os.O_RDWR)
        os.pwritev(fd, [b'ab', b'cd'], 3), os.ftruncate(fd, 9)
        self.assertEqual(os.pread(fd, 20, 0), b'\0\0\0abcd\0\0')
        os.posix_fallocate(fd, 0, 100), os.lseek(fd, 0, os.SEEK_SET)
        out = os.memfd_create('m')
        other = os.open(self.dir, os.O_TMPFILE | os.O_RDWR)
        self.assertEqual((os.sendfile(out, fd, 0, 5), os.copy_file_range(fd, other, 4, 3, 0)), (5, 4))
        self.assertEqual((os.pread(out, 20, 0), os.pread(other, 20, 0)), (b'\0\0\0ab', b'abcd'))
        self.assertEqual(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE, os.O_RDWR)

    def test_names(self):
        a = self.dir / 'a'
        a.write_text('text'), a.chmod(0o640), os.utime(a, ns=(10**18, 10**18 + 7))
        os.link(a, self.dir / 'b'), os.symlink('a', self.dir / 'c'), os.mkfifo(self.dir / 'p')
        s = a.stat()
        self.assertEqual((s.st_nlink, s.st_mtime_ns, stat.filemode(s.st_mode)), (2, 10**18 + 7, '-rw-r-----'))
        self.assertEqual(sorted((e.name, e.is_symlink(), e.is_file()) for e in os.scandir(self.dir)),
                         [('a', False, True), ('b', False, True), ('c', True, True), ('p', False, False)])
        os.replace(self.dir / 'b', self.dir / 'd')
        self.assertEqual(sorted(p.name for p in self.dir.glob('[a-d]')), ['a', 'c', 'd'])
        d = os.open(self.dir, os.O_RDONLY)
        os.rename('a', 'e', src_dir_fd=d, dst_dir_fd=d), os.unlink('e', dir_fd=d), os.close(d)
        os.setxattr(self.dir / 'd', 'user.k', b'v')
        self.assertEqual((os.listxattr(self.dir / 'd'), os.getxattr(self.dir / 'd', 'user.k')), (['user.k'], b'v'))

    def test_databases_and_archives(self):
        db = sqlite3.connect(self.dir / 'x.db')
        db.execute('pragma journal_mode=wal'), db.execute('create table t(a, b)')
        with db: db.executemany('insert into t values(?, ?)', [(i, i * i) for i in range(500)])
        other = sqlite3.connect(self.dir / 'x.db', timeout=0.05)
        self.assertEqual(other.execute('select sum(b) from t').fetchone(), (41541750,))
        db.execute('begin immediate')
        with self.assertRaises(sqlite3.OperationalError): other.execute('insert into t values(1, 1)')
        db.rollback(), db.close(), other.close()
        archive = shutil.make_archive(str(self.dir / 'z'), 'zip', '/usr/share/doc/python3')
        with zipfile.ZipFile(archive) as z: self.assertIsNone(z.testzip())

    def test_inotify_free_polling(self):
        r, w = os.pipe()
        selector = selectors.DefaultSelector()
        selector.register(r, selectors.EVENT_READ), selector.register(w, selectors.EVENT_WRITE)
        self.assertEqual([k.fd for k, _ in selector.select(1)], [w])
        os.write(w, b'x')
        self.assertEqual(sorted(k.fd for k, _ in selector.select(1)), sorted([r, w]))
        self.assertEqual(select.select([r], [], [], 0)[0], [r])
        e = os.eventfd(3)
        self.assertEqual((os.eventfd_read(e), select.select([e], [], [], 0)[0]), (3, []))

    def test_limits(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, hard))
        opened = []
        with self.assertRaises(OSError) as e:
            while True: opened.append(os.open('/dev/null', 0))
        self.assertEqual(e.exception.errno, errno.EMFILE)
        for fd in opened: os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.assertGreater(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 1000)


class Asyncio(unittest.TestCase):
    def test_subprocesses(self):
        async def main():
            async def one(n):
                p = await asyncio.create_subprocess_exec('sh', '-c', f'read x; echo $x; exit {n}', stdin=-1, stdout=-1)
                out, _ = await p.communicate(b'line\n')
                return p.returncode, out
            return await asyncio.gather(*map(one, range(5)))
        self.assertEqual(asyncio.run(main()), [(n, b'line\n') for n in range(5)])

    def test_timeouts_and_signals(self):
        async def main():
            with self.assertRaises(TimeoutError): await asyncio.wait_for(asyncio.sleep(100), 0.01)
            got = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.set)
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.wait_for(got.wait(), 10)
            return await asyncio.to_thread(square, 5)
        self.assertEqual(asyncio.run(main()), 25)

    def test_streams(self):
        async def main():
            async def echo(reader, writer):
                writer.write((await reader.readline()).upper())
                await writer.drain()
                writer.close()
            server = await asyncio.start_server(echo, '127.0.0.1', 0)
            port = server.sockets[0].getsockname()[1]

            async def ask(n):
                reader, writer = await asyncio.open_connection('127.0.0.1', port)
                writer.write(b'ask %d\n' % n)
                answer = await reader.read()
                writer.close()
                return answer
            async with server: return await asyncio.gather(*map(ask, range(20)))
        self.assertEqual(asyncio.run(main()), [b'ASK %d\n' % n for n in range(20)])


class Sockets(unittest.TestCase):
    def test_pair_and_descriptors(self):
        a, b = socket.socketpair()
        r, w = os.pipe()
        socket.send_fds(a, [b'here'], [w])
        data, fds, _, _ = socket.recv_fds(b, 100, 1)
        os.write(fds[0], b'through')
        self.assertEqual((data, os.read(r, 10)), (b'here', b'through'))
        credentials = b.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        self.assertEqual(int.from_bytes(credentials[:4], 'little'), os.getpid())
        a.shutdown(socket.SHUT_WR), self.assertEqual(b.recv(10), b'')
        a.close(), b.close()

    def test_unix(self):
        with tempfile.TemporaryDirectory() as d:
            class Shout(socketserver.StreamRequestHandler):
                def handle(self): self.wfile.write(self.rfile.readline().upper())
            with socketserver.ThreadingUnixStreamServer(d + '/s', Shout) as server:
                threading.Thread(target=server.serve_forever, args=(0.05,)).start()
                with socket.socket(socket.AF_UNIX) as c:
                    c.connect(d + '/s'), c.sendall(b'hi\n')
                    self.assertEqual(c.recv(10), b'HI\n')
                server.shutdown()

    def test_tcp_server(self):
        class Shout(socketserver.StreamRequestHandler):
            def handle(self):
                for line in self.rfile: self.wfile.write(line.upper())
        with socketserver.ThreadingTCPServer(('127.0.0.1', 0), Shout) as server:
            threading.Thread(target=server.serve_forever, args=(0.05,)).start()
            with socket.create_connection(server.server_address, 10) as c:
                c.sendall(b'one\ntwo\n'), c.shutdown(socket.SHUT_WR)
                self.assertEqual(b''.join(iter(lambda: c.recv(100), b'')), b'ONE\nTWO\n')
            server.shutdown()

    def test_udp(self):
        a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        a.bind(('127.0.0.1', 0)), b.settimeout(10)
        b.sendto(b'ping', a.getsockname())
        data, sender = a.recvfrom(100)
        a.sendto(data + b' pong', sender)
        self.assertEqual(b.recv(100), b'ping pong')
        a.close(), b.close()

    def test_http(self):
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200), self.end_headers(), self.wfile.write(self.path.encode())
            def log_message(self, *_): pass
        with ThreadingHTTPServer(('127.0.0.1', 0), Answer) as server:
            threading.Thread(target=server.serve_forever, args=(0.05,)).start()
            with urllib.request.urlopen(f'http://127.0.0.1:{server.server_port}/a/b') as r: self.assertEqual(r.read(), b'/a/b')
            server.shutdown()

    def test_refused_and_timeouts(self):
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            with socket.socket() as c, self.assertRaises(ConnectionRefusedError): c.connect(s.getsockname())
            s.listen(), s.settimeout(0.02)
            with self.assertRaises(TimeoutError): s.accept()

    def test_names(self):
        self.assertEqual(socket.gethostbyname('localhost'), '127.0.0.1')
        self.assertTrue(socket.gethostname())
        self.assertIn('lo', [name for _, name in socket.if_nameindex()])


if __name__ == '__main__':
    unittest.main(verbosity=2)
