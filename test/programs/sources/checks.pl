# Checks of Perl where it leans on the operating system; prints TAP.
use strict;
use warnings;
use Test::More;
use Fcntl qw(:flock :seek :mode);
use File::Find;
use File::Temp qw(tempdir);
use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use IPC::Open3;
use POSIX qw(:sys_wait_h :signal_h setsid dup2 ttyname);
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);
use Time::HiRes qw(usleep time alarm);
use threads;
use threads::shared;

my $dir = tempdir(DIR => '.', CLEANUP => 1);

# processes
pipe(my $r, my $w);
my $pid = fork() // die;
if (!$pid) { close $r; print $w "child of ", getppid(); close $w; POSIX::_exit(7) }
close $w;
is(<$r>, "child of $$", 'pipe from a child');
waitpid($pid, 0);
is($? >> 8, 7, 'its status');
is(waitpid(-1, WNOHANG), -1, 'no more children');
is(`echo out; exit 3`, "out\n", 'backticks');
is($? >> 8, 3, 'their status');
my $p = open3(my $in, my $out, undef, 'sh', '-c', 'read x; echo "<$x>"; kill -9 $$');
print $in "hello\n"; close $in;
is(<$out>, "<hello>\n", 'open3');
waitpid($p, 0);
is($? & 127, 9, 'killed');
open(my $list, '-|', 'seq', 3) or die;
is(join('', <$list>), "1\n2\n3\n", 'list form of open');
close $list;
is(system('exit 4;') >> 8, 4, 'system');
{ no warnings; is(system('/no/such/program'), -1, 'no such program') }
is($! + 0, POSIX::ENOENT(), 'ENOENT');
if (!(my $k = fork())) { POSIX::_exit(setsid() == $$ ? 0 : 1) } else { waitpid($k, 0); is($?, 0, 'setsid') }

# signals
my $seen = '';
local $SIG{USR1} = sub { $seen .= shift };
kill USR1 => $$;
is($seen, 'USR1', 'a handler');
my $timed = eval { local $SIG{ALRM} = sub { die "alarm\n" }; alarm 0.05; select(undef, undef, undef, 10); 1 };
is($@, "alarm\n", 'select is interrupted');
my $set = POSIX::SigSet->new(SIGUSR1);
sigprocmask(SIG_BLOCK, $set);
kill USR1 => $$;
my $pending = POSIX::SigSet->new;
sigpending($pending);
ok($pending->ismember(SIGUSR1), 'pending');
is($seen, 'USR1', 'blocked');
sigprocmask(SIG_UNBLOCK, $set);
is($seen, 'USR1USR1', 'delivered');
local $SIG{CHLD} = 'IGNORE';
waitpid(fork() // 0 || POSIX::_exit(3), 0);
is($?, -1, 'ignored children are reaped');
$SIG{CHLD} = 'DEFAULT';

# files
open(my $f, '+>', "$dir/f") or die;
ok(flock($f, LOCK_EX), 'flock');
open(my $g, '<', "$dir/f") or die;
ok(!flock($g, LOCK_EX | LOCK_NB), 'held');
print $f "line $_\n" for 1 .. 1000;
$f->flush;
seek($f, -5, SEEK_END);
read($f, my $end, 5);
is($end, "1000\n", 'seek and read');
truncate($f, 7);
is(-s "$dir/f", 7, 'truncate');
chmod 0751, "$dir/f";
is((stat "$dir/f")[2] & 07777, 0751, 'chmod');
utime 1e9, 1e9 + 5, "$dir/f";
is((stat _)[9] <=> (stat "$dir/f")[9], 1, 'utime');
symlink 'f', "$dir/s"; link "$dir/f", "$dir/h"; mkdir "$dir/d", 0700; POSIX::mkfifo("$dir/p", 0600);
is(join(',', map { S_IFMT((lstat)[2]) >> 12 } map { "$dir/$_" } qw(f s d p)), '8,10,4,1', 'kinds');
my @names;
find({ wanted => sub { push @names, $_ }, no_chdir => 0 }, $dir);
is(join(',', grep { !/^\./ } sort @names), 'd,f,h,p,s', 'File::Find');
ok(rename("$dir/h", "$dir/d/h") && unlink("$dir/d/h") && rmdir("$dir/d"), 'rename, unlink, rmdir');
is(-e "$dir/d", undef, 'gone');
opendir(my $d, '/proc/self/fd') or die;
cmp_ok(scalar(readdir $d), 'ne', '', '/proc/self/fd');

# threads
my $total :shared = 0;
my @t = map { threads->create(sub { for (1 .. 100) { lock $total; $total++ } threads->tid }) } 1 .. 8;
is(join(',', sort { $a <=> $b } map { $_->join } @t), join(',', map { $_ } 1 .. 8), 'threads');
is($total, 800, 'a shared count');

# sockets
socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die;
syswrite $a, 'pair';
sysread $b, my $got, 10;
is($got, 'pair', 'socketpair');
my $server = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', ReuseAddr => 1) or die;
if (!($pid = fork())) {
  my $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->sockport) or POSIX::_exit(1);
  print $c "to the server\n"; $c->flush;
  POSIX::_exit(<$c> eq "back\n" ? 0 : 2);
}
my $client = $server->accept;
is(scalar(<$client>), "to the server\n", 'TCP');
print $client "back\n"; close $client;
waitpid($pid, 0);
is($?, 0, 'and back');
my $u = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => "$dir/u", Listen => 1) or die;
my $uc = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => "$dir/u") or die;
my $us = $u->accept;
my $select = IO::Select->new($us);
is(scalar(my @none = $select->can_read(0.01)), 0, 'nothing yet');
syswrite $uc, 'x';
is(scalar(my @one = $select->can_read(10)), 1, 'select sees it');
done_testing();
