// A few scripts of every campaign (test/property); npm run property runs as many as one likes.
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { Campaigner, describeFailure } from './property/campaign.ts'
import { CAMPAIGNS } from './property/campaigns.ts'
import { runProperty } from './property/run.ts'
import { PROPERTIES } from './property/table.ts'

const SEEDS = [1, 2]

describe('random scripts', () => {
  for (const [name, campaign] of Object.entries(CAMPAIGNS))
    test(name, async () => {
      const campaigner = new Campaigner(campaign, path.join(import.meta.dirname, 'property'))
      try {
        for (const seed of SEEDS) {
          const failure = await campaigner.run(seed)
          expect(failure === null ? '' : describeFailure(failure)).toBe('')
        }
      } finally {
        await campaigner.close()
      }
    }, 120_000)
})

describe('random calls of one program, in every place', () => {
  for (const property of PROPERTIES)
    test(property[0], async () => {
      expect(await runProperty(path.join(import.meta.dirname, 'property'), property, 1, 4)).toBeNull()
    }, 120_000)
})
