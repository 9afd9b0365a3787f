/**
 * A program for images.bench.ts: the appliance's image room and rack server alone; resolves one image for two nodes,
 * then serves it.
 */

import { readConfig, readConfigFile } from '../../appliance/config/read.ts'
import { createImages } from '../../appliance/images/create-images.ts'
import { createLog } from '../../appliance/log.ts'
import { startRackServer } from '../../appliance/rack-server.ts'

const log = createLog('debug')
const [state_path = '', image = '', image_checksum = ''] = process.argv.slice(2)
const config = readConfig(
  readConfigFile(
    'bench.conf',
    `[DEFAULT]\nstate_path = ${state_path}\nmy_ip = 127.0.0.1\n` +
      `[agent]\nimage_download_source = local\n[conductor]\nfile_url_allowed_paths = ${state_path}\n`,
  ),
  { host: 'bench', my_ip: () => '127.0.0.1' },
)
let http_url = ''
const images = createImages({ config, log, http_url: () => http_url })
const server = await startRackServer({ host: '127.0.0.1', port: 0 }, [(...given) => images.handle(...given)], log)
http_url = `http://127.0.0.1:${server.port}`

const NODES = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002']
for (const node_uuid of NODES) {
  const began = performance.now()
  const cpu_before = process.cpuUsage()
  const served = await images.resolve({
    node_uuid,
    instance_info: { image_source: `file://${image}`, image_checksum },
    driver_info: {},
    signal: AbortSignal.timeout(300_000),
    progress: () => {},
  })
  const { user, system } = process.cpuUsage(cpu_before)
  log.info(node_uuid === NODES[0] ? 'resolved first' : 'resolved again', {
    seconds: (performance.now() - began) / 1000,
    cpu_s: (user + system) / 1e6,
    served,
  })
}
process.once('SIGTERM', async () => {
  await server.close()
  await images.close()
  process.exit()
})
