import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createDisplay, ongoingLine, stageLine } from './display.ts'

const MIB = 1024 * 1024
const written = (isTTY: boolean) => {
  const chunks: string[] = []
  return { output: { isTTY, columns: 80, write: (text: string) => chunks.push(text) }, text: () => chunks.join('') }
}

describe('line of a stage', () => {
  it('tells machine, stage, bytes, rate and time', () => {
    const line = stageLine('rack-1', { name: 'ramdisk fetched', at_s: 9.876, took_s: 4, bytes: 100 * MIB })

    assert.equal(line, '    9.9 s  rack-1    ramdisk fetched             100 MiB  25 MiB/s  took 4.0 s')
  })

  it('leaves out what is not known', () => {
    assert.equal(stageLine('rack-1', { name: 'lookup', at_s: 12 }), '   12.0 s  rack-1    lookup')
  })
})

describe('line of what goes on', () => {
  it('tells how much of it is done, how fast, and for how long', () => {
    const activity = { name: 'step deploy.write_image', since_ms: 1_000, done: 50 * MIB, total: 1536 * MIB }

    const line = ongoingLine({ name: 'rack-1', elapsed_s: 20, activity }, 6_000)

    assert.equal(line, '   20.0 s  rack-1    step deploy.write_image ...  50 MiB of 1536 MiB  10 MiB/s  5.0 s')
  })

  it('tells which part of a step it is', () => {
    const activity = { name: 'step deploy.install', since_ms: 1_000, note: 'pulling the image' }

    const line = ongoingLine({ name: 'rack-1', elapsed_s: 20, activity }, 6_000)

    assert.equal(line, '   20.0 s  rack-1    step deploy.install: pulling the image ...  5.0 s')
  })
})

describe('display', () => {
  it('redraws on a terminal: a finished stage goes above what goes on', () => {
    const { output, text } = written(true)
    const display = createDisplay(output)

    display.show([{ name: 'rack-1', elapsed_s: 1, activity: undefined }])
    display.stage('rack-1', { name: 'DHCP', at_s: 2 })
    display.end()

    const up = '\u001b[1F\u001b[J'
    const ongoing = '    1.0 s  rack-1    ...\n'
    assert.equal(text(), `${ongoing}${up}    2.0 s  rack-1    DHCP\n${ongoing}${up}`)
  })

  it('writes only what stays where lines cannot be redrawn', () => {
    const { output, text } = written(false)
    const display = createDisplay(output)

    display.show([{ name: 'rack-1', elapsed_s: 1, activity: undefined }])
    display.stage('rack-1', { name: 'DHCP', at_s: 2 })
    display.end()

    assert.equal(text(), '    2.0 s  rack-1    DHCP\n')
  })
})
