// Programs that make terminals for others, and tools that read /proc: what they print is compared line by line, so only what is the same on
// every system is printed.
import type { Row } from './table.ts'

/** Waits until a pane of tmux server $S shows pattern $1. */
const SEE = 'see() { for i in {1..300}; do tmux -L $S capture-pane -p -t a | grep -qE "$1" && return; sleep 0.1; done; echo "never saw $1"; }'

// biome-ignore format: a table
export const TERMINALS: readonly Row[] = [
  ['script -c', 'bsdutils', 'script -qc "stty rows 7 cols 9; stty size; stty -a | tail -n 2; test -t 0 && test -t 1 && echo both; exit 4" log > out < /dev/null; cat out; script -qec "exit 4" /dev/null < /dev/null; echo $?; rm log'],
  ['python3 pty', 'python3', `python3 -c '
import os, pty, termios, tty
def run(*argv): return os.waitstatus_to_exitcode(pty.spawn(argv))
print(run("sh", "-c", "tty > /dev/null && echo on a terminal; exit 3"))
m, s = pty.openpty()
os.write(s, b"out\\n"); print(os.read(m, 99))
os.write(m, b"typed\\rmore"); print(os.read(s, 99))
tty.setraw(s); os.write(m, b"\\x03\\r"); print(os.read(s, 99))
pid, fd = pty.fork()
if pid == 0: print(os.getsid(0) == os.getpid(), os.tcgetpgrp(0) == os.getpid(), flush=True); os._exit(0)
print(os.read(fd, 99), os.waitpid(pid, 0)[1])
'`],
  ['tmux', 'tmux', `S=mol$$; export TERM=xterm; ${SEE}; tmux -L $S -f /dev/null new-session -d -s a -x 60 -y 10 "PS1='p> ' sh"; see "^p>"; tmux -L $S send-keys -t a 'echo $((6*7)); stty size' Enter; see "^10 60"; tmux -L $S capture-pane -p -t a | head -4
tmux -L $S split-window -t a "cat"; tmux -L $S list-panes -t a -F "#{pane_width}x#{pane_height}"; tmux -L $S send-keys -t a 'into cat' Enter; see "into cat"; tmux -L $S send-keys -t a C-c; for i in {1..300}; do [ "$(tmux -L $S list-panes -t a | wc -l)" = 1 ] && break; sleep 0.1; done; tmux -L $S list-panes -t a -F "#{pane_height}"; tmux -L $S kill-server; echo $?`, 60],
  ['ps', 'procps', 'exec 2>&1; sleep 77 & ps -o comm=,nice=,ni=,stat= -p $! | tr -d "+"; ps -o args= -p $!; ps -o ppid= -p $! | grep -qw $$ && echo child; nice -n 7 sleep 78 & while [ "$(ps -o comm= -p $!)" != sleep ]; do :; done; ps -o ni=,pri=,cls=,nlwp=,user=,tty= -p $! | tr -s " "; ps -e -o pid= | grep -cw $$; ps -p 4000000; echo $?; kill %1 %2'],
  ['pgrep, pkill, pidof', 'procps', 'cp /usr/bin/sleep ./unusual; ./unusual 66 & while [ "$(ps -o comm= -p $!)" != unusual ]; do :; done; pgrep -x unusual | grep -cw $!; pgrep -fa "unusual 66" | cut -d" " -f2-; pgrep nothing-like-it; echo $?; pkill -x unusual; wait $!; echo $?; rm unusual'],
  ['pmap', 'procps', 'sleep 55 & while [ "$(ps -o comm= -p $!)" != sleep ]; do :; done; pmap $! | sed -n 1p | cut -d: -f2; pmap $! | grep -E " (sleep|libc.so.6)$" | tr -s " " | cut -d" " -f2-; kill $!'],
  ['lsof', 'lsof', 'exec 7> seven; printf 12345 >&7; lsof -a -p $$ -d 7,cwd -F ftan0 | tr "\\0" " " | sed "s/p[0-9]*//"; lsof seven | wc -l'],
  ['free, uptime, vmstat', 'procps', 'free -h | head -1; free | awk "NR==2 {print (\\$2 >= \\$3 + \\$4)}"; uptime -p > /dev/null && echo up; vmstat 1 1 | head -2 | tail -1; cat /proc/loadavg | wc -w'],
]
