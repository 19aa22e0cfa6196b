// What the file server needs of the host: lib/hostfiles.ts, so that the driver need not know the server.
export type { HostFiles, HostListing, HostStatfs } from '../../lib/hostfiles.ts'
