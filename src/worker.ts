// A machine's kernel thread: boots it, then never returns to its event loop; it polls channels until told to stop. Talks to the main
// thread by messages of control.ts, announced through the doorbell.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { boot, BootError, type Booted } from './boot.ts'
import type { BootOptions, FromKernel, ToKernel } from './control.ts'

const port = parentPort
if (port === null) throw new Error('worker.js is not a program of its own')
const say = (m: FromKernel): void => port.postMessage(m)

let machine: Booted | null = null
function onControl(): void {
  for (;;) {
    const next = receiveMessageOnPort(port as NonNullable<typeof port>) as { message: ToKernel } | undefined
    if (next === undefined || machine === null) return
    machine.order(next.message)
  }
}

try {
  machine = boot(workerData as BootOptions, say, onControl)
} catch (error) {
  if (!(error instanceof BootError)) throw error
  say({ kind: 'bootFailed', code: error.code, text: error.message })
}
if (machine !== null) {
  say({ kind: 'booted' })
  try {
    machine.loop.run()
  } finally {
    machine.close()
  }
}
port.close()
