/** What mmdebstrap and apt write, as sentences for who waits. The lines are theirs, of mmdebstrap 1.2.3 and apt 2.6. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { progressReader } from '../../../pxe/ramdisk/mmdebstrap.ts'

const LINES = `I: automatically chosen format: directory
I: running apt-get update...
Get:1 http://deb.debian.org/debian trixie InRelease [140 kB]
I: downloading packages with apt...
0 upgraded, 212 newly installed, 0 to remove and 0 not upgraded.
Need to get 84.5 MB of archives.
Get:1 http://deb.debian.org/debian trixie/main amd64 busybox-static amd64 1:1.37.0-6+b9 [955 kB]
I: extracting archives...
I: cleaning package lists and apt cache...
I: success in 15.5643 seconds
`

describe('what mmdebstrap tells', () => {
  it('says what it does now, and how much of it there is', () => {
    const told: string[] = []

    LINES.split('\n').forEach(progressReader((doing) => told.push(doing)))

    assert.deepEqual(told, [
      "fetching Debian's lists of packages",
      'downloading 212 Debian packages (84.5 MB)',
      'extracting archives (212 Debian packages)',
      'cleaning package lists and apt cache (212 Debian packages)',
    ])
  })
})
