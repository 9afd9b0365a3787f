import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createIsLeased } from '../../../pxe/dnsmasq/leases.ts'
import type { PxeConfig } from '../../../pxe/index.ts'
import { exampleConfig } from '../example-config.ts'
import { temporaryFolder } from '../temporary-folder.ts'

const MAC = '52:54:00:12:34:56'
/** As dnsmasq 2.90 writes it. */
const LEASES = `1796062000 ${MAC} 192.168.50.100 n1 01:${MAC}
1796062000 ${MAC} 192.168.50.101 * ff:00:12:34:56
1796062000 52:54:00:66:66:66 192.168.50.166 * *
0 06-52:54:00:12:34:56 192.168.50.102 * *
duid 00:01:00:01:2f:6a:3b:1c:52:54:00:00:00:01
1796062000 1193046 fd66::100 * 00:03:00:01:${MAC}
1796062000 1193047 fd66::166 * 00:01:00:01:2f:6a:3b:1c:52:54:00:66:66:66
1796062000 1193048 fd66::200 * 00:04:8f:1d:2a:55:00:00:00:00:00:00:00:00:00:00:00:01
`

async function leased(t: TestContext, change: Partial<PxeConfig> = {}, text: string | undefined = LEASES) {
  const folder = await temporaryFolder(t)
  await mkdir(join(folder, 'dnsmasq'))
  if (text !== '') await writeFile(join(folder, 'dnsmasq/leases'), text)
  const isLeased = createIsLeased(exampleConfig(folder, change))
  return (address: string) => isLeased(MAC, address)
}

describe('a lease of our DHCP', () => {
  it('is of the machine for each of the addresses that its systems were given', async (t) => {
    const isLeased = await leased(t)

    assert.deepEqual(await Promise.all(['192.168.50.100', '::ffff:192.168.50.101'].map(isLeased)), [true, true])
  })

  it("is not of the machine when it is another's, nobody's, or of another kind of network", async (t) => {
    const isLeased = await leased(t)
    const empty = await leased(t, {}, '')

    assert.deepEqual(
      await Promise.all(['192.168.50.166', '192.168.50.1', '192.168.50.102', 'fd66::200'].map(isLeased)),
      [false, false, false, false],
    )
    assert.equal(await empty('192.168.50.100'), false)
  })

  it('of IPv6 tells the machine when the client said its MAC', async (t) => {
    const dhcp_ranges = ['192.168.50.100,192.168.50.200,1h', 'fd66::100,fd66::200,64,1h']
    const isLeased = await leased(t, { dhcp_ranges })

    assert.deepEqual(await Promise.all(['fd66::100', 'fd66::166', 'fd66::200', 'fd66::9'].map(isLeased)), [
      true,
      false,
      undefined,
      undefined,
    ])
  })

  it('cannot be told where another DHCP server gives the addresses', async (t) => {
    const none = await leased(t, { dhcp_provider: 'none' })
    const beside = await leased(t, { dhcp_ranges: ['192.168.50.0,proxy'] })

    assert.deepEqual([await none('192.168.50.166'), await beside('192.168.50.166')], [undefined, undefined])
  })
})
