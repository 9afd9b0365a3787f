/**
 * What makes servers and requests of node:http. To import that as an ES module reads all that it exports: for WebSocket
 * Node 24 then loads its own undici, which costs each start 60 ms of processor time and 14 MiB.
 */
import process from 'node:process'

export const { createServer, request } = process.getBuiltinModule('node:http')
