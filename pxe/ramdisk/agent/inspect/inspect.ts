/**
 * Collects what the machine is made of, and reports it to who has booted it. @source ironic-python-agent inspector.py
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { LogSource } from '../commands/logs.ts'
import { messageOf } from '../errors.ts'
import { exchange, shownUrl } from '../protocol/http.ts'
import { collect, type Report } from './collect.ts'

/** The node may be held for a moment, and a service may just be starting. */
const PAUSES_S = [1, 2, 5, 10, 20, 30, 30] as const

/** @throws Error  nobody takes the report */
export async function inspect(source: LogSource): Promise<void> {
  const { screen, options } = source
  screen.say('Looking at what this machine is made of')
  const report = await collect(source)
  if (report.error) screen.say(`Not all could be found out: ${report.error}`)
  for (const wait_s of [...PAUSES_S, undefined]) {
    const problem = await send(source, report)
    if (problem === undefined) {
      screen.say(
        `Reported what this machine is made of to ${options.inspection_callback_urls.map(shownUrl).join(', ')}`,
      )
      return
    }
    if (wait_s === undefined || problem.isFinal)
      throw new Error(`The report of this inspection is not taken: ${problem.why}`)
    screen.say(`The report of this inspection is not taken yet: ${problem.why}. Trying again in ${wait_s} s.`)
    await pause(wait_s * 1000)
  }
}

type Problem = { why: string; isFinal: boolean }

/** @returns undefined  it was taken */
async function send({ options }: LogSource, report: Report): Promise<Problem | undefined> {
  let problem: Problem = { why: 'there is nobody to tell', isFinal: true }
  for (const url of options.inspection_callback_urls) {
    try {
      const { status, text } = await exchange(new URL(url), {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          ...(options.global_request_id ? { 'x-openstack-request-id': options.global_request_id } : {}),
        },
        body: JSON.stringify(report),
        timeout_s: options.http_request_timeout_s,
        tls: { insecure: options.insecure, minVersion: options.tls_min_version },
      })
      if (status < 400) return undefined
      // What another attempt may change: a node that is held, a service that fails.
      return {
        why: `${shownUrl(url)} answered ${status} ${text.slice(0, 300)}`,
        isFinal: status < 500 && status !== 409,
      }
    } catch (error) {
      problem = { why: `${shownUrl(url)}: ${messageOf(error)}`, isFinal: false }
    }
  }
  return problem
}
