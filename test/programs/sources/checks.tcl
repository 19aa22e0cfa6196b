# Checks of Tcl: processes, files, events, sockets.
proc check {name body want} {
  if {[catch {uplevel $body} got]} {set got "error: $got"}
  puts "[expr {$got eq $want ? {ok} : {NOT OK}}] $name[expr {$got eq $want ? {} : ": $got"}]"
}
check exec {exec echo hello | tr a-z A-Z} HELLO
check status {catch {exec sh -c {exit 5}} e o; lindex [dict get $o -errorcode] 2} 5
check killed {catch {exec sh -c {kill -9 $$}} e o; lindex [dict get $o -errorcode] 2} SIGKILL
check background {exec sleep 0 &; expr 1} 1
check pipe {set p [open |cat r+]; puts $p through; flush $p; set l [gets $p]; close $p; set l} through
check file {set f [open f w]; puts $f "a\nb"; close $f; set f [open f]; set t [read $f]; close $f; string length $t} 4
check stat {file stat f s; list $s(size) $s(type) [file executable f]} {4 file 0}
check names {file mkdir d/e; file rename f d/g; file copy d/g d/e/h; lsort [glob d/*]} {d/e d/g}
check link {file link -symbolic l d/g; file readlink l} d/g
check mtime {file mtime d/g 1000000000; file mtime d/g} 1000000000
check errors {catch {open /no/such} e; set e} {couldn't open "/no/such": no such file or directory}
check after {after 20 {set done 1}; vwait done; set done} 1
check fileevent {
  set p [open {|sh -c "echo one; echo two"}]
  fconfigure $p -blocking 0
  set lines {}
  fileevent $p readable {if {[gets $p l] >= 0} {lappend lines $l} elseif {[eof $p]} {close $p; set over 1}}
  vwait over
  set lines
} {one two}
check clock {clock format 0 -gmt 1 -format %Y-%m-%d} 1970-01-01
check temp {set c [file tempfile name]; close $c; set x [file exists $name]; file delete $name; set x} 1
check socket {
  set server [socket -server {apply {{c a p} {gets $c l; puts $c [string reverse $l]; close $c}}} -myaddr 127.0.0.1 0]
  set port [lindex [fconfigure $server -sockname] 2]
  set c [socket -async 127.0.0.1 $port]
  puts $c hello; flush $c
  fileevent $c readable {gets $c answer; close $c}
  vwait answer
  close $server
  set answer
} olleh
check refused {catch {socket 127.0.0.1 1} e; set e} {couldn't open socket: connection refused}
file delete -force d l
