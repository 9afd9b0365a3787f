import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { lastConsoleLine, readable } from './console.ts'

describe('console log of a machine', () => {
  it('is readable without what moves the cursor', () => {
    assert.equal(
      readable('\u001bc\u001b[?7l\u001b[2J\u001b[0mSeaBIOS\r\n\u001b[!p\u001b[1;31miPXE\u0007\r\n'),
      'SeaBIOS\niPXE\n',
    )
  })

  it('ends with its last line that holds anything', () => {
    assert.equal(lastConsoleLine('one\r\nKernel panic - not syncing\r\n\u001b[0m  \r\n'), 'Kernel panic - not syncing')
    assert.equal(lastConsoleLine(''), '')
  })
})
