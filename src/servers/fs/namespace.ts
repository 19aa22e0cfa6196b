// The namespace half of the file server: all calls about names, attributes, mounts and executables.
import type { CallVector } from '../../lib/server.ts'
import { attributeNameCalls } from './attribute-names.ts'
import { attributeCalls } from './attributes.ts'
import { changeCalls } from './change.ts'
import { directoryCalls } from './directory.ts'
import { execCalls } from './exec.ts'
import { mountCalls } from './mount.ts'
import { nameCalls } from './names.ts'
import { openCalls } from './open.ts'
import type { FsState } from './state.ts'

export function namespaceCalls(state: FsState): CallVector {
  return {
    ...openCalls(state),
    ...nameCalls(state),
    ...directoryCalls(state),
    ...attributeCalls(state),
    ...changeCalls(state),
    ...attributeNameCalls(state),
    ...mountCalls(state),
    ...execCalls(state),
  }
}
