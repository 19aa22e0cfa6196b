// Scripts by subject: what a shell, its tools and some programs do, in one machine.
import type { Row } from './table.ts'

// biome-ignore format: a table
export const SHELL: readonly Row[] = [
  ['echo', 'bash', 'echo hello world'],
  ['exit status', 'bash', 'exit 7'],
  ['functions, arrays', 'bash', 'f() { local a=("$@"); echo "${#a[@]} ${a[1]} ${a[*]/b/X}"; return 3; }; f a b c; echo $?; declare -A m=([x]=1 [y]=2); echo ${m[x]}${m[y]}'],
  ['here-documents', 'bash', 'cat <<EOF\nline $((1+2))\nEOF\ncat <<-"EOF"\n\traw $x\n\tEOF\nread a b <<< "one two three"; echo "$b|$a"'],
  ['traps', 'bash', 'trap "echo bye" EXIT; trap "echo usr1" USR1; kill -USR1 $$; trap "echo err" ERR; false; echo done'],
  ['process substitution', 'diffutils', 'diff <(printf "a\\nb\\n") <(printf "a\\nc\\n"); echo $?; cat <(echo one) <(echo two)'],
  ['background jobs', 'bash', 'sleep 0.05 & p=$!; wait $p; echo $?; (exit 4) & wait $!; echo $?; for i in 1 2 3; do (echo $i) & wait; done'],
  ['five-stage pipeline', 'bash', 'seq 1 1000 | grep 7 | sed s/7/x/ | sort -r | head -5; echo "${PIPESTATUS[@]}"'],
  ['subshells', 'bash', '(cd /usr; pwd; (cd lib; pwd)); pwd | wc -l; x=$(echo $(echo nested)); echo $x'],
  ['redirections', 'bash', 'echo a > f; echo b >> f; cat < f; { echo out; echo err >&2; } > g 2>&1; cat g; exec 5<f; read l <&5; echo $l; exec 5<&-; ls nosuch 2>/dev/null; echo $?'],
  ['signals of children', 'bash', 'sh -c "kill -TERM \\$\\$"; echo $?; sh -c "kill -SEGV \\$\\$" 2>/dev/null; echo $?; (ulimit -c 0; sh -c "kill -QUIT \\$\\$") ; echo $?'],
  ['pipefail, SIGPIPE', 'bash', 'set -o pipefail; yes | head -3; echo $?'],
  ['coproc', 'bash', 'coproc cat; echo hi >&"${COPROC[1]}"; read -u "${COPROC[0]}" l; echo "got $l"'],
  ['dash', 'dash', `dash -c 'for i in a b c; do case $i in b) echo B;; *) echo $i;; esac; done; echo $(( 7 * 6 ))'`],
  ['coreutils on files', 'coreutils', 'mkdir -p d/e; echo x > d/e/f; cp -r d d2; mv d2/e/f d2/g; ln d/e/f h; ln -s d/e/f s; cat s; stat -c "%s %h %F %a" h s d/e; rm -r d; cat s; ls -1R'],
  ['permissions', 'bash', 'touch f; chmod 640 f; stat -c %a f; umask 027; touch g; mkdir d; stat -c "%a" g d; chmod u+s,g+s g; stat -c %a g; test -x f; echo $?'],
  ['dates and touch', 'bash', 'touch -d "2020-02-02 02:02:02 UTC" f; stat -c %Y f; date -u -d @0; test f -ot .; echo $?'],
  ['find', 'findutils', 'mkdir -p a/b/c; touch a/x.c a/b/y.c a/b/c/z.h; find a -name "*.c" | sort; find a -type d -empty; find a -type f -exec basename {} \\; | sort; find a -name "z*" -delete; find . | sort'],
  ['grep', 'bash', 'printf "foo\\nbar\\nFoo bar\\n" > f; grep -n foo f; grep -ci foo f; grep -v bar f; grep -E "^(foo|bar)$" f; grep -rl Foo .; grep nothing f; echo $?'],
  ['sed', 'sed', 'printf "one\\ntwo\\nthree\\n" > f; sed -n 2p f; sed -i s/two/2/ f; cat f; sed "1d;s/e/E/g" f; sed -E "s/(t)(h)/\\2\\1/" f'],
  ['awk', 'gawk', `printf "a 1\\nb 2\\nc 3\\n" | awk '{s+=$2; print NR": "$1} END {print s, length("abc"); printf "%5.2f|%-4s|\\n", s/7, "x"}'`],
  ['sort, uniq, cut, tr', 'bash', 'printf "b 2\\na 10\\nc 1\\na 10\\n" > f; sort f | uniq -c; sort -k2n f; cut -d" " -f2 f | tr 0-9 a-j; sort -u -o f f; cat f; comm -12 f f | wc -l'],
  ['head, tail, wc, nl, fold', 'bash', 'seq 20 > f; head -n -15 f; tail -n +18 f; wc f; nl f | tail -1; seq -s, 50 | fold -w 20; tac f | head -2; split -l 7 f p; ls p*; paste -sd+ f | cut -c1-20'],
  ['tar, gzip', 'tar gzip', 'mkdir d; seq 1000 > d/a; ln -s a d/l; tar czf t.tgz --sort=name --owner=0 --group=0 --mtime=@0 d; tar tzf t.tgz; rm -r d; tar xzf t.tgz; md5sum d/a; readlink d/l; gzip -nc d/a | gunzip | md5sum; rm t.tgz'],
  ['diff, cmp', 'diffutils', 'printf "a\\nb\\n" > x; printf "a\\nc\\n" > y; diff x y; diff -u x y | tail -n +3; cmp x y; echo $?'],
  ['make', 'make', 'printf "all: b\\n\\t@echo all\\nb: a\\n\\tcp a b\\na:\\n\\techo A > a\\n" > Makefile; make; make; make nosuch; echo $?'],
  ['make -j4', 'make', 'printf "all: 1 2 3 4\\n%%:\\n\\t@echo made > out.$@\\n" > Makefile; make -j4 && cat out.*'],
  ['gcc', 'gcc', `printf '#include <stdio.h>\\nint main(int c,char**v){printf("hello %%d %%s\\\\n",c,v[1]);return 3;}' > h.c; gcc -O1 -o h h.c && ./h there; echo $?; rm h; gcc -static -o h h.c; ./h x; rm h; gcc -c nosuch.c; echo $?`],
  ['python3', 'python3', `cat > s.py <<'END'
import subprocess, json, os, sys
print(json.dumps({'a':[1,2,{'b':None}]}))
r = subprocess.run(['sh','-c','echo sub; echo err >&2; exit 5'], capture_output=True, text=True)
print(r)
os.makedirs('x/y/z'); open('x/y/f','w').write('data')
for d, ds, fs in sorted(os.walk('x')): print(d, sorted(ds), sorted(fs))
try: open('/nosuch/file')
except OSError as e: print(e)
try: subprocess.run(['/nosuch/program'])
except OSError as e: print(e)
print(os.stat('x/y/f').st_size, os.path.exists('q'), sorted(os.listdir('.')))
pid = os.fork()
if pid == 0: os._exit(9)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
sys.exit(4)
END
python3 s.py; echo $?`],
  ['perl', 'perl', `perl -e 'use strict; my %h=(a=>1,b=>2); print join(",", map {"$_=$h{$_}"} sort keys %h), "\\n"; open(my $p, "-|", "echo piped") or die; print <$p>; close $p; print "st $?\\n"; $_ = "abc"; s/b/[$&]/; print "$_\\n"; exit 2'; echo $?`],
  ['git', 'git', `export GIT_AUTHOR_DATE=@0 GIT_COMMITTER_DATE=@0 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_CONFIG_NOSYSTEM=1 HOME=$PWD; git init -q -b main r; cd r; echo one > f; git add f; git commit -qm first; echo two >> f; git diff --stat; git commit -qam second; git log --oneline; git status --short; git show --stat HEAD | tail -2; git fsck; cd ..; rm -rf r/.git/index`],
  ['busybox', 'busybox-static', 'busybox sh -c "echo hi; busybox ls /etc/hostname; busybox seq 3 | busybox tac"; for a in true false; do busybox $a; echo $?; done; busybox awk "BEGIN{print 6*7}"; echo abc | busybox md5sum; busybox find . ; busybox tar cf - . | busybox wc -c'],
  ['xargs, env, printf', 'findutils', 'printf "%s\\n" a b c | xargs -n1 echo item; env -i A=1 env; printf "%05d %x %s\\n" 42 255 str; xargs -a /dev/null echo none; seq 5 | xargs -P2 -n1 true; echo $?'],
  ['/dev', 'bash', 'echo x > /dev/null; head -c 4 /dev/zero | od -An -tx1; echo full > /dev/full; echo $?; echo e > /dev/stderr; cat /dev/fd/0 <<< in; test -c /dev/tty; echo $?; head -c 16 /dev/urandom | wc -c'],
  ['/proc', 'bash', 'cat /proc/self/comm; readlink /proc/self/fd/0 | cut -c1-4; ls /proc/self/fd | head -3; grep -c processor /proc/cpuinfo; tr "\\0" " " < /proc/self/cmdline; readlink /proc/self/cwd | grep -c mol-test; grep -c "stack" /proc/self/maps'],
  ['FIFO', 'bash', 'mkfifo p; (echo through > p) & cat p; wait; cat < p & echo again > p; wait'],
  ['times', 'bash', 'x=$SECONDS; sleep 1.1; test $SECONDS -gt $x; echo $?; timeout 0.2 sleep 5; echo $?; date +%Y | grep -c 20'],
  ['command not found', 'bash', 'nosuchcommand; echo $?; ./nosuch; echo $?; /etc/passwd; echo $?; /etc; echo $?; echo "#!/no/interp" > s; chmod +x s; ./s; echo $?; printf "\\177ELFbad" > e; chmod +x e; ./e; echo $?'],
  ['scripts', 'bash', 'printf "#!/bin/sh -e\\necho \\$0 \\$1\\nfalse\\necho no\\n" > s; chmod +x s; ./s arg; echo $?; printf "echo plain \\$1\\n" > t; chmod +x t; ./t x; printf "#! /usr/bin/env bash\\necho env \\$BASH_VERSINFO\\n" > u; chmod +x u; ./u'],
  ['big data', 'bash', 'head -c 3000000 /dev/zero | tr "\\0" x > f; wc -c f; md5sum < f; dd if=f of=g bs=1M 2>/dev/null; cmp f g; cat f f | wc -c; dd if=f bs=300000 count=2 2>/dev/null | wc -c'],
  ['deep directories', 'bash', 'd=.; for i in $(seq 40); do d=$d/dir$i; done; mkdir -p $d; cd $d; touch f; cd - >/dev/null; find . -name f | wc -l; rm -r dir1; ls'],
  ['rename and replace', 'bash', 'echo a > a; echo b > b; mv a b; cat b; mkdir d e; touch e/x; mv d e; ls e; mv -T e/d e 2>&1; mv b e/; ls e; mv -n e/b e/x; ls e'],
  ['tail -f', 'coreutils', 'echo one > f; coproc tail -n +1 -F f; read -u ${COPROC[0]} x; echo $x; for i in two three; do echo $i >> f; read -u ${COPROC[0]} x; echo $x; done; echo new > g; mv g f; read -u ${COPROC[0]} x; echo $x; kill $COPROC_PID'],
  ['errors', 'bash', 'ln -s loop loop; cat loop; mkdir d; cat d; rmdir nosuch; echo > d/x; rmdir d; rm d; cd d/x; touch d/x/y; ln -s gone/nosuch dangling; cat dangling; echo made > dangling; rm -f nosuch; echo $?'],
]
