/** The agent of a simulated machine: the real agent's https server and command protocol, and a disk that is patient. */
import { setTimeout as pause } from 'node:timers/promises'
import { makeCertificate } from '../../pxe/ramdisk/agent/protocol/certificate.ts'
import { type Commands, createCommands } from '../../pxe/ramdisk/agent/protocol/commands.ts'
import { type AgentServer, startServer } from '../../pxe/ramdisk/agent/protocol/server.ts'

type AgentOptions = {
  /** Writes the image; the deploy goes on when it resolves. */
  write(): Promise<void>
  onPowerOff(): void
}

const WRITE_IMAGE = { step: 'write_image', interface: 'deploy', priority: 0, reboot_requested: false }
const ANSWER_MS = 20
const CERTIFICATE = makeCertificate('127.0.0.1', new Date(), 'P-256')

export class Agent {
  readonly #options: AgentOptions
  #server: AgentServer | undefined
  #token = ''

  constructor(options: AgentOptions) {
    this.#options = options
  }

  /** @param token  of the lookup's answer */
  async start(token: string): Promise<void> {
    this.#token = token
    this.#server = await startServer({
      ...{ host: '127.0.0.1', port: 0, certificate: CERTIFICATE, minVersion: 'TLSv1.2' },
      token: () => this.#token,
      commands: this.#commands(),
      status: () => ({ started_at: 0, version: '1' }),
    })
  }

  /** Body of a heartbeat. */
  get heartbeat() {
    return {
      callback_url: `https://127.0.0.1:${this.#server?.port}`,
      agent_token: this.#token,
      agent_version: '13.0.0',
      agent_verify_ca: CERTIFICATE.certificate,
    }
  }

  async close(): Promise<void> {
    await this.#server?.close()
    this.#server = undefined
  }

  #commands(): Commands {
    const { write, onPowerOff } = this.#options
    return createCommands({
      onStart: () => {},
      onEnd: () => {},
      table: {
        deploy: {
          get_deploy_steps: {
            kind: 'sync',
            run: async () => ({
              deploy_steps: { BenchManager: [WRITE_IMAGE] },
              hardware_manager_version: { bench: '1.0' },
            }),
          },
          execute_deploy_step: {
            kind: 'async',
            run: async (params) => {
              // The answer to the command goes out first.
              await pause(ANSWER_MS)
              await write()
              return { deploy_result: null, deploy_step: params.step }
            },
          },
        },
        image: { install_bootloader: { kind: 'async', run: async () => null } },
        standby: {
          sync: { kind: 'sync', run: async () => null },
          power_off: { kind: 'async', run: async () => onPowerOff() },
        },
      },
    })
  }
}
