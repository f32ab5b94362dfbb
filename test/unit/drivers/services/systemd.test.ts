import { describe, expect, test } from 'vitest'
import { messagesSince, parseShow, systemd } from '../../../../src/drivers/services/systemd.ts'
import type { ServiceEffect } from '../../../../src/model/effects.ts'

const show = (values: Record<string, string>): string =>
  Object.entries({
    LoadState: 'loaded',
    ActiveState: 'inactive',
    MainPID: '0',
    InvocationID: '',
    NRestarts: '0',
    ...values,
  })
    .map((pair) => `${pair.join('=')}\n`)
    .join('')

describe('what systemctl show prints', () => {
  test('of a running service is read whole', () => {
    const text = show({
      ActiveState: 'active',
      MainPID: '4711',
      InvocationID: 'abc123',
      NRestarts: '2',
      ActiveEnterTimestamp: 'Mon 2026-11-23 10:45:01 UTC',
    })
    expect(parseShow(text)).toEqual({
      state: 'running',
      mainPid: 4711,
      startId: 'abc123',
      restarts: 2,
      since: '2026-11-23T10:45:01.000Z',
    })
  })

  test.each([
    [{ LoadState: 'not-found' }, 'absent'],
    [{ ActiveState: 'inactive' }, 'stopped'],
    [{ ActiveState: 'activating' }, 'starting'],
    [{ ActiveState: 'active' }, 'running'],
    [{ ActiveState: 'reloading' }, 'running'],
    [{ ActiveState: 'failed' }, 'failed'],
  ])('%j is %s', (values, state) => expect(parseShow(show(values)).state).toBe(state))

  test.each([
    [{ ExecMainCode: '1', ExecMainStatus: '3' }, 3],
    [{ ExecMainCode: '1', ExecMainStatus: '0' }, 0],
    [{ ExecMainCode: '2', ExecMainStatus: '9' }, 137],
    [{ ExecMainCode: '0', ExecMainStatus: '0' }, undefined],
  ])('%j tells how its last life ended: %j', (values, ended) => expect(parseShow(show(values)).ended).toBe(ended))

  test('of a service that waits for others to start is no end', () =>
    expect(parseShow(show({ Job: '12' })).state).toBe('starting'))

  test('of a service that never ran names no process, no start and no time', () => {
    expect(parseShow(show({ ActiveEnterTimestamp: '' }))).toEqual({
      state: 'stopped',
      mainPid: undefined,
      startId: undefined,
      restarts: 0,
      since: undefined,
    })
  })
})

test('of a journal only messages since a start are taken, line by line', () => {
  const entry = (at: number, message: unknown) => JSON.stringify({ __MONOTONIC_TIMESTAMP: `${at}`, MESSAGE: message })
  const text = [entry(999, 'of the release before'), entry(1000, 'one\ntwo'), entry(1001, [255]), 'no JSON'].join('\n')
  expect(messagesSince(text, '1000')).toEqual(['one', 'two'])
})

describe('the commands of a service', () => {
  test.each<[ServiceEffect['action'], string, readonly number[] | undefined]>([
    ['start', 'systemctl start web', undefined],
    ['stop', 'systemctl stop web', [0, 5]],
    ['restart', 'systemctl restart web', undefined],
    ['enable', 'systemctl enable --quiet web', undefined],
    ['disable', 'systemctl disable --quiet web', [0, 1, 5]],
    ['reload-units', 'systemctl daemon-reload', undefined],
    ['forget-failures', 'systemctl reset-failed web', [0, 1, 5]],
  ])('%s: %s', (action, line, okCodes) => {
    const commands = systemd.commandsOf({ kind: 'service', unit: 'web', action })
    expect(commands).toEqual([{ argv: line.split(' '), ...(okCodes === undefined ? {} : { okCodes }) }])
  })
})
