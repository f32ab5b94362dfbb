import { describe, expect, test } from 'vitest'
import { chooseRollback } from '../../../../src/procedures/deploy/rollback.ts'
import { recordOf, releaseOf } from '../../../support/activation.ts'

const history = [recordOf('r1', '1.0.0', 'a'), recordOf('r2', '2.0.0', 'b', 'r1'), recordOf('r3', '1.0.0', 'a', 'r2')]

const releases = history.map(({ release }) => release.id)

describe('a rollback', () => {
  test('goes back to what was in service before', () => {
    expect(chooseRollback('web1', { activations: history, releases }, undefined).id).toBe('r2')
    expect(chooseRollback('web1', { activations: history.slice(0, 2), releases }, undefined).id).toBe('r1')
  })

  test.each([
    ['an activation', 'r1', 'r1'],
    ['a release', releaseOf('2.0.0', 'b').id, 'r2'],
    ['a version, the last time it was in service', '1.0.0', 'r3'],
  ])('goes to %s that was named', (_, to, id) =>
    expect(chooseRollback('web1', { activations: history, releases }, to).id).toBe(id),
  )

  test.each([
    ['nothing came before', history.slice(0, 1), undefined],
    ['what came before is no longer kept', history.slice(1, 2), undefined],
    ['nothing was deployed', [], undefined],
    ['the one named was never in service', history, '3.0.0'],
  ])('is refused where %s', (_, activations, to) => {
    expect(() => chooseRollback('web1', { activations, releases }, to)).toThrow(
      expect.objectContaining({ code: 'refused', host: 'web1' }),
    )
  })

  describe('to a release that is gone', () => {
    const gone = releaseOf('2.0.0', 'b').id
    const others = [...history, recordOf('r4', '4.0.0', 'd', 'r3')]
    const kept = [...releases.filter((id) => id !== gone), releaseOf('4.0.0', 'd').id]
    const refusal = (to: string | undefined, activations: typeof history, there = kept): unknown => {
      try {
        return chooseRollback('web1', { activations, releases: there }, to)
      } catch (error) {
        return error
      }
    }

    test('is refused with those that are there, and not with itself', () => {
      expect(refusal('2.0.0', others)).toMatchObject({
        code: 'refused',
        message: `release ${gone} is not on the host any more`,
        hint: `kept here: ${releaseOf('1.0.0', 'a').id}; choose one with --to`,
      })
      expect(refusal('9.0.0', others)).toMatchObject({
        hint: `kept here: ${releaseOf('1.0.0', 'a').id}; choose one with --to`,
      })
    })

    test('is refused with how to have it back where nothing else is there', () => {
      expect(refusal(undefined, history.slice(1, 3), [releaseOf('1.0.0', 'a').id])).toMatchObject({
        message: `release ${gone} is not on the host any more`,
        hint: 'deploy it again: netops deploy --release FILE',
      })
    })
  })
})
