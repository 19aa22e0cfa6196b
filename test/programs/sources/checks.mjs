// Checks of Node where it leans on the operating system: workers, child processes, watching, servers.
import { ok, deepEqual, equal, rejects } from 'node:assert/strict'
import { execFile, exec, fork, spawn, spawnSync } from 'node:child_process'
import { createHash, pbkdf2, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import net from 'node:net'
import dgram from 'node:dgram'
import os from 'node:os'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import zlib from 'node:zlib'

const run = promisify(execFile)
const checks = {
  async 'workers share memory'() {
    const shared = new Int32Array(new SharedArrayBuffer(4))
    const all = Array.from({ length: 4 }, () => new Worker(new URL(import.meta.url), { workerData: { shared, times: 1000 } }))
    const ends = all.map(w => once(w, 'exit'))
    const replies = await Promise.all(all.map(async w => (await once(w, 'message'))[0]))
    deepEqual((await Promise.all(ends)).flat(), [0, 0, 0, 0])
    deepEqual([replies.length, shared[0]], [4, 4000])
  },
  async 'child processes'() {
    const { stdout } = await run('sh', ['-c', 'echo $0 $1', 'a', 'b'])
    equal(stdout, 'a b\n')
    await rejects(run('sh', ['-c', 'exit 3']), { code: 3 })
    await rejects(run('/no/such'), { code: 'ENOENT' })
    equal((await promisify(exec)('echo $((6 * 7)) >&2')).stderr, '42\n')
    deepEqual(spawnSync('cat', { input: 'sync' }).stdout.toString(), 'sync')
    const sleeper = spawn('sleep', ['100'])
    sleeper.kill('SIGTERM')
    deepEqual(await once(sleeper, 'exit'), [null, 'SIGTERM'])
  },
  async 'big pipes'() {
    const cat = spawn('cat')
    const hash = createHash('md5')
    const data = Buffer.alloc(3_000_000, 'abc')
    cat.stdin.end(data)
    for await (const part of cat.stdout) hash.update(part)
    equal(hash.digest('hex'), createHash('md5').update(data).digest('hex'))
  },
  async 'fork with a channel'() {
    const child = fork(new URL(import.meta.url), ['child'])
    child.send({ n: 20 })
    deepEqual((await once(child, 'message'))[0], { n: 21 })
    child.disconnect()
    deepEqual(await once(child, 'exit'), [0, null])
  },
  async files(dir) {
    const file = path.join(dir, 'f')
    await writeFile(file, 'x'.repeat(100_000))
    const handle = await open(file, 'r+')
    await handle.write(Buffer.from('mid'), 0, 3, 50_000)
    await handle.truncate(60_000)
    equal((await handle.stat()).size, 60_000)
    await handle.close()
    equal((await readFile(file)).subarray(49_999, 50_004).toString(), 'xmidx')
    await pipeline(fs.createReadStream(file), zlib.createGzip(), fs.createWriteStream(`${file}.gz`))
    equal(zlib.gunzipSync(fs.readFileSync(`${file}.gz`)).length, 60_000)
    fs.copyFileSync(file, `${file}2`)
    fs.cpSync('/usr/share/doc/bash', path.join(dir, 'doc'), { recursive: true })
    ok(fs.readdirSync(path.join(dir, 'doc')).length > 0)
    fs.utimesSync(file, 1e9, 1e9)
    equal(fs.statSync(file).mtimeMs, 1e12)
    await rejects(readFile(path.join(dir, 'none')), { code: 'ENOENT' })
  },
  async 'watching files'(dir) {
    const watcher = fs.watch(dir)
    const seen = once(watcher, 'change')
    fs.writeFileSync(path.join(dir, 'watched'), '1')
    equal((await seen)[1], 'watched')
    watcher.close()
  },
  async 'polling files'(dir) {
    const file = path.join(dir, 'polled')
    fs.writeFileSync(file, '1')
    const changed = new Promise(resolve => fs.watchFile(file, { interval: 20 }, now => resolve(now.size)))
    await delay(50)
    fs.writeFileSync(file, '12345')
    equal(await changed, 5)
    fs.unwatchFile(file)
  },
  async 'thread pool and random'() {
    const keys = await Promise.all(Array.from({ length: 8 }, (_, i) => promisify(pbkdf2)('p', String(i), 1000, 16, 'sha256')))
    equal(new Set(keys.map(String)).size, 8)
    equal(randomBytes(1000).length, 1000)
  },
  async 'os facts'() {
    ok(os.cpus().length > 0 && os.totalmem() > os.freemem() && os.uptime() > 0 && os.hostname() !== '')
    ok(process.memoryUsage().rss > 1e6 && process.cpuUsage().user > 0)
    deepEqual([os.userInfo().uid, process.ppid > 0], [process.getuid(), true])
    ok(process.execPath.endsWith('node') && fs.readlinkSync('/proc/self/exe') === process.execPath)
  },
  async signals() {
    const got = once(process, 'SIGUSR2')
    process.kill(process.pid, 'SIGUSR2')
    equal((await got)[0], 'SIGUSR2')
  },
  async 'http on loopback'() {
    const server = http.createServer(async (request, response) => {
      let body = ''
      for await (const part of request) body += part
      response.end(`${request.method} ${request.url} ${body.length}`)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${server.address().port}`
    const answers = await Promise.all(Array.from({ length: 30 }, async (_, i) => (await fetch(`${url}/${i}`, { method: 'POST', body: 'b'.repeat(i * 1000) })).text()))
    deepEqual(answers, Array.from({ length: 30 }, (_, i) => `POST /${i} ${i * 1000}`))
    server.closeAllConnections()
    server.close()
  },
  async 'unix sockets'(dir) {
    const server = net.createServer(c => c.pipe(new PassThrough()).pipe(c)).listen(path.join(dir, 'sock'))
    await once(server, 'listening')
    const client = net.connect(path.join(dir, 'sock'))
    client.end('through')
    let text = ''
    for await (const part of client) text += part
    equal(text, 'through')
    server.close()
  },
  async udp() {
    const a = dgram.createSocket('udp4').bind(0, '127.0.0.1')
    await once(a, 'listening')
    const b = dgram.createSocket('udp4')
    b.send('datagram', a.address().port, '127.0.0.1')
    equal(String((await once(a, 'message'))[0]), 'datagram')
    a.close()
    b.close()
  },
  async 'refused, and names'() {
    await rejects(once(net.connect(1, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' })
    ok(os.networkInterfaces().lo[0].address === '127.0.0.1')
  },
}

if (!isMainThread) {
  for (let i = 0; i < workerData.times; i++) Atomics.add(workerData.shared, 0, 1)
  parentPort.postMessage('done')
} else if (process.argv[2] === 'child') process.on('message', ({ n }) => process.send({ n: n + 1 }))
else {
  const alive = setInterval(() => {}, 1000) // waiting for a signal keeps nobody alive
  const dir = await mkdtemp(path.resolve('node-'))
  for (const [name, check] of Object.entries(checks)) {
    const why = await check(dir).then(() => '', error => ` ${error.message}`)
    if (why !== '') process.exitCode = 1
    console.log(`${why === '' ? 'ok' : 'NOT OK'} ${name}${why}`)
  }
  await rm(dir, { recursive: true })
  clearInterval(alive)
}
