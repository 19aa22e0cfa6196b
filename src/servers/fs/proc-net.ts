// /proc/net: the tables as an empty network has them (headers alone), until the network server fills them.
import type { ProcFile, ProcTable } from './procfs.ts'

const SOCKETS = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'
function table(text: string): ProcFile {
  return { type: 'file', mode: 0o444, text: () => text }
}
export const netTable: ProcTable = {
  arp: table('IP address       HW type     Flags       HW address            Mask     Device\n'),
  dev: table(
    'Inter-|   Receive                                                |  Transmit\n' +
      ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n',
  ),
  if_inet6: table(''),
  raw: table(`${SOCKETS} ref pointer drops\n`),
  route: table(
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                                                       \n',
  ),
  tcp: table(`${SOCKETS.padEnd(149)}\n`),
  tcp6: table(
    '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n',
  ),
  udp: table(`${SOCKETS} ref pointer drops             \n`),
  udp6: table(
    '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n',
  ),
  unix: table('Num       RefCount Protocol Flags    Type St Inode Path\n'),
}
