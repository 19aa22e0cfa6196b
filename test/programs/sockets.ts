// Programs that talk to each other over sockets inside the machine.
import type { Row } from './table.ts'

// biome-ignore format: a table
export const SOCKETS: readonly Row[] = [
  ['python3 socketserver', 'python3', `cat > s.py <<'END'
import socket, socketserver, threading
class Upper(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile: self.wfile.write(line.upper())
class Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer): daemon_threads = True
for make, family in ((lambda: socketserver.ThreadingTCPServer(('127.0.0.1', 0), Upper), socket.AF_INET), (lambda: Unix('sock', Upper), socket.AF_UNIX)):
    with make() as server:
        threading.Thread(target=server.serve_forever).start()
        clients = [socket.socket(family) for _ in range(5)]
        for c in clients: c.connect(server.server_address)
        for i, c in enumerate(clients): c.sendall(b'hello %d\\nworld\\n' % i); c.shutdown(socket.SHUT_WR)
        for c in clients: print(c.makefile().read().split()); c.close()
        server.shutdown()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0)); u.settimeout(10)
v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); v.connect(u.getsockname()); v.send(b'datagram'); print(u.recvfrom(100)[0])
u.close(); v.send(b'x')
try: v.recv(10)
except OSError as e: print(e)
try: socket.create_connection(('127.0.0.1', 1))
except OSError as e: print(e)
s = socket.socket(); s.settimeout(0.05); s.bind(('127.0.0.1', 0)); s.listen()
try: s.accept()
except OSError as e: print(repr(e))
print(socket.getaddrinfo('127.0.0.1', 80, type=socket.SOCK_STREAM), [n for n in socket.if_nameindex() if n[1] == 'lo'])
END
python3 s.py; echo $?; rm sock`],
  ['python3 asyncio', 'python3', `cat > s.py <<'END'
import asyncio
async def main():
    async def reverse(reader, writer):
        while data := await reader.readline():
            writer.write(data.strip()[::-1] + b'\\n'); await writer.drain()
        writer.close()
    server = await asyncio.start_server(reverse, '127.0.0.1', 0)
    port = server.sockets[0].getsockname()[1]
    async def client(n):
        reader, writer = await asyncio.open_connection('127.0.0.1', port)
        got = []
        for k in range(20):
            writer.write(b'%d-%d\\n' % (n, k)); got.append(await reader.readline())
        writer.close(); await writer.wait_closed()
        return b''.join(got)
    print(len(set(await asyncio.gather(*(client(n) for n in range(20))))))
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    writer.write(b'last\\n'); print(await reader.readline())
    writer.close(); server.close()
    async def echo(r, w): w.write(await r.read(100)); w.close()
    unix = await asyncio.start_unix_server(echo, 'sock')
    r, w = await asyncio.open_unix_connection('sock'); w.write(b'unix'); print(await r.read()); w.close(); unix.close()
asyncio.run(main())
END
python3 s.py 2>&1; echo $?; rm -f sock`],
  ['python3 multiprocessing', 'python3', `cat > s.py <<'END'
import multiprocessing as mp, os, socket
from multiprocessing.connection import Client, Listener
def worker(address):
    with Client(address, authkey=b'key') as c: c.send({'list': [1, 2, 3]}); c.send_bytes(b'b' * 200000); print(c.recv(), flush=True)
def square(x): return x * x
if __name__ == '__main__':
    for family in 'AF_UNIX', 'AF_INET':
        with Listener(None, family, authkey=b'key') as l:
            p = mp.Process(target=worker, args=(l.address,)); p.start()
            with l.accept() as c: print(c.recv(), len(c.recv_bytes())); c.send('done')
            p.join()
    with mp.Pool(3) as pool: print(pool.map(square, range(10)))
    with mp.Manager() as m: d = m.dict(); d['k'] = 1; print(dict(d))
    a, b = socket.socketpair(); r, w = os.pipe()
    socket.send_fds(a, [b'message'], [w]); os.close(w)
    message, fds, flags, address = socket.recv_fds(b, 10, 4); os.write(fds[0], b'through'); os.close(fds[0]); print(os.read(r, 10), os.read(r, 10), message)
END
python3 s.py; echo $?`],
  ['node http and net', 'nodejs', `cat > s.js <<'END'
const http = require('http'), net = require('net'), dgram = require('dgram')
const server = http.createServer((request, response) => {
  let body = ''
  request.on('data', d => (body += d)).on('end', () => response.end(request.method + ' ' + request.url + ' ' + body.length))
})
server.listen(0, '127.0.0.1', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 3 })
  const ask = n => new Promise(done => {
    const request = http.request({ port: server.address().port, host: '127.0.0.1', method: 'POST', path: '/' + n, agent }, r => { let t = ''; r.on('data', d => (t += d)).on('end', () => done(t)) })
    request.end('x'.repeat(n * 10000))
  })
  console.log(await Promise.all([...Array(12).keys()].map(ask)))
  agent.destroy(); server.close()
  const unix = net.createServer(s => s.pipe(s)).listen('sock', () => {
    const c = net.connect('sock', () => c.end('over a path'))
    c.on('data', d => console.log(String(d))).on('close', () => unix.close())
  })
  const u = dgram.createSocket('udp4').on('message', (m, from) => { console.log(String(m), from.address); u.close() })
  u.bind(0, '127.0.0.1', () => { const v = dgram.createSocket('udp4'); v.send('datagram', u.address().port, '127.0.0.1', () => v.close()) })
  net.connect(1, '127.0.0.1').on('error', e => console.log(e.code))
})
END
node s.js; echo $?`],
  ['curl', 'curl python3', `echo content > f; mkdir d; cat > s.py <<'END'
import http.server, threading, subprocess, functools
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_POST(self):
        n = int(self.headers['Content-Length']); body = self.rfile.read(n)
        self.send_response(201); self.end_headers(); self.wfile.write(b'%d bytes' % len(body))
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
at = 'http://127.0.0.1:%d' % server.server_port
for args in (['-s', at + '/f'], ['-s', '-w', '%{http_code}', '-o', '/dev/null', at + '/none'], ['-s', '--data-binary', 'x' * 5000, at + '/'], ['-sI', at + '/d'], ['-s', at + '/f', at + '/f']):
    out = subprocess.run(['curl'] + args, capture_output=True, text=True)
    print(out.returncode, [l for l in out.stdout.splitlines() if not l.startswith(('Date', 'Last', 'Server', 'Location'))])
server.shutdown(); server.server_close()
print(subprocess.run(['curl', '-s', at], capture_output=True).returncode)
END
python3 s.py; echo $?`],
  ['bash /dev/tcp', 'bash python3', `python3 -c '
import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); open("port", "w").write(str(s.getsockname()[1]))
for _ in range(2):
    c, _ = s.accept(); f = c.makefile("rw"); f.write("you said " + f.readline()); f.close(); c.close()
' & until test -s port; do sleep 0.02; done; for i in 1 2; do exec 3<>/dev/tcp/127.0.0.1/$(<port); echo line $i >&3; cat <&3; exec 3>&-; done; wait; (: </dev/tcp/127.0.0.1/1) 2>/dev/null; echo $?; rm port`],
  ['perl sockets', 'perl', `perl -MSocket -e 'socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die; if (!fork) { close $a; while (<$b>) { syswrite $b, uc } exit } close $b; for (qw(one two)) { syswrite $a, "$_\\n"; print scalar <$a> } shutdown $a, 1; print defined(<$a>) ? "more" : "end", "\\n"; wait; print "$?\\n"'`],
]
