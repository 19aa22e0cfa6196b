// A few scripts of every campaign (test/property); npm run property runs as many as one likes.
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { Campaigner, describeFailure } from './property/campaign.ts'
import { CAMPAIGNS } from './property/campaigns.ts'

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
