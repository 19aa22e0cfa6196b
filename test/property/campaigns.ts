// All campaigns, by the name `npm run property` knows them by.
import type { Campaign } from './campaign.ts'
import { PROCESSES } from './processes.ts'

export const CAMPAIGNS: Readonly<Record<string, Campaign>> = {
  processes: PROCESSES,
}
