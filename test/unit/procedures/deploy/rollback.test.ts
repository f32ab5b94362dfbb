import { describe, expect, test } from 'vitest'
import { chooseRollback } from '../../../../src/procedures/deploy/rollback.ts'
import { recordOf, releaseOf } from '../../../support/activation.ts'

const history = [recordOf('r1', '1.0.0', 'a'), recordOf('r2', '2.0.0', 'b', 'r1'), recordOf('r3', '1.0.0', 'a', 'r2')]

describe('a rollback', () => {
  test('goes back to what was in service before', () => {
    expect(chooseRollback('web1', history, undefined).id).toBe('r2')
    expect(chooseRollback('web1', history.slice(0, 2), undefined).id).toBe('r1')
  })

  test.each([
    ['an activation', 'r1', 'r1'],
    ['a release', releaseOf('2.0.0', 'b').id, 'r2'],
    ['a version, the last time it was in service', '1.0.0', 'r3'],
  ])('goes to %s that was named', (_, to, id) => expect(chooseRollback('web1', history, to).id).toBe(id))

  test.each([
    ['nothing came before', history.slice(0, 1), undefined],
    ['what came before is no longer kept', history.slice(1, 2), undefined],
    ['nothing was deployed', [], undefined],
    ['the one named was never in service', history, '3.0.0'],
  ])('is refused where %s', (_, activations, to) => {
    expect(() => chooseRollback('web1', activations, to)).toThrow(
      expect.objectContaining({ code: 'refused', host: 'web1' }),
    )
  })
})
