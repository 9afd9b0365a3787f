/** The real `baremetal` client of python3-ironicclient, in the rack's network. */
import { CommandFailed, run } from './run-program.ts'
import { ADDRESS } from './steel/network.ts'

export const CLIENT_ENVIRONMENT = { OS_AUTH_TYPE: 'none', OS_ENDPOINT: `http://${ADDRESS}:6385` }

/** The client failed; the message is its own last line. */
class ClientFailed extends Error {}

/** @throws ClientFailed */
export async function baremetal(
  enter: readonly string[],
  args: readonly string[],
  { signal, timeout_s = 120 }: { signal?: AbortSignal; timeout_s?: number } = {},
): Promise<string> {
  const [command = '', ...before] = enter
  const env = { ...process.env, ...CLIENT_ENVIRONMENT, PYTHONWARNINGS: 'ignore' }
  try {
    return await run(command, [...before, 'baremetal', ...args], { signal, timeout_s, env })
  } catch (error) {
    if (!(error instanceof CommandFailed) || error.stderr.trim() === '') throw error
    const words = error.stderr.trim().split('\n').at(-1)
    throw new ClientFailed(`baremetal ${args.slice(0, 2).join(' ')}: ${words}`, { cause: error })
  }
}
