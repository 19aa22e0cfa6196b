// One machine's life, so that V8's bytecode of the kernel thread can be kept (src/start.ts). Run by build.mjs with MOL_CODE_CACHE set.
import { Machine } from '../dist/machine.js'

const SCRIPT = `cd /tmp; for i in 1 2 3; do ls -la / | grep -c x; cat /proc/self/status | head -3; echo $i > f$i; done
mkdir d; mv f1 d; cp f2 d; ln -s f3 l; find . | sort | wc -l; rm -r d; (sleep 0 & wait); kill -0 $$; trap 'echo usr' USR1; kill -USR1 $$; stty -a; ps`
const machine = await Machine.boot()
await machine.spawn('/bin/sh', ['-c', SCRIPT], { env: { PATH: '/bin:/usr/bin' }, stdio: 'null' }).exit
await machine.close()
