/**
 * A web server in a network of its own, which gives out one file: `node file-server.ts ADDRESS PORT FILE`. Stands for a
 * server that the appliance knows nothing of.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { pipeline } from 'node:stream/promises'

const [host = '', port = '', file = ''] = process.argv.slice(2)
const { size } = await stat(file)
const server = createServer((request, response) => {
  response.writeHead(200, { 'content-length': size, 'content-type': 'application/octet-stream' })
  if (request.method === 'HEAD') response.end()
  // A client that goes away is nobody's fault.
  else pipeline(createReadStream(file, { highWaterMark: 1024 * 1024 }), response).catch(() => {})
})
server.listen(Number(port), host, () => process.stdout.write('listening\n'))
