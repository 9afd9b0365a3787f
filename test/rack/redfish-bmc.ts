/**
 * A BMC that speaks Redfish, and is a table of resources: for what a real one does seldom, and an emulator never.
 * Written against DSP0266; what is in it and how it errs is the test's affair.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { isTable } from '../../appliance/hardware/redfish/members.ts'
import type { Json } from '../../appliance/plugin-api/index.ts'

export type BmcRequest = {
  method: string
  path: string
  body: Json
  headers: IncomingMessage['headers']
}
export type BmcAnswer = { status: number; body?: unknown; headers?: OutgoingHttpHeaders; text?: string }
/** undefined: as it answers by itself. 'hang': it never does. */
type Behaviour = (request: BmcRequest) => BmcAnswer | 'hang' | undefined

export const ROOT = '/redfish/v1/'
export const SYSTEM = '/redfish/v1/Systems/1'
const SESSIONS = '/redfish/v1/SessionService/Sessions'
const RESET = `${SYSTEM}/Actions/ComputerSystem.Reset`

const CHASSIS = '/redfish/v1/Chassis/1'
export const MEDIA = '/redfish/v1/Managers/1/VirtualMedia'

const drive = (name: string, MediaTypes: readonly string[]): Json => ({
  ...{ Id: name, MediaTypes, Image: null, Inserted: false },
  Actions: Object.fromEntries(
    ['Insert', 'Eject'].map((verb) => [
      `#VirtualMedia.${verb}Media`,
      { target: `${MEDIA}/${name}/Actions/VirtualMedia.${verb}Media` },
    ]),
  ),
})

const RESOURCES: Readonly<Record<string, Json>> = {
  [ROOT]: {
    '@odata.id': ROOT,
    Systems: { '@odata.id': '/redfish/v1/Systems' },
    Registries: { '@odata.id': '/redfish/v1/Registries' },
    UpdateService: { '@odata.id': '/redfish/v1/UpdateService' },
    EventService: { '@odata.id': '/redfish/v1/EventService' },
    Managers: { '@odata.id': '/redfish/v1/Managers' },
    Links: { Sessions: { '@odata.id': SESSIONS } },
  },
  '/redfish/v1/Systems': { Members: [{ '@odata.id': SYSTEM }] },
  '/redfish/v1/Managers': { Members: [{ '@odata.id': '/redfish/v1/Managers/1' }] },
  '/redfish/v1/Managers/1': { Id: '1', FirmwareVersion: '2.1', VirtualMedia: { '@odata.id': MEDIA } },
  [MEDIA]: { Members: [{ '@odata.id': `${MEDIA}/Floppy` }, { '@odata.id': `${MEDIA}/Cd` }] },
  [`${MEDIA}/Floppy`]: drive('Floppy', ['Floppy', 'USBStick']),
  [`${MEDIA}/Cd`]: drive('Cd', ['CD', 'DVD']),
  [`${SYSTEM}/SecureBoot`]: {
    SecureBootEnable: false,
    Actions: {
      '#SecureBoot.ResetKeys': {
        target: `${SYSTEM}/SecureBoot/Actions/SecureBoot.ResetKeys`,
        'ResetKeysType@Redfish.AllowableValues': ['ResetAllKeysToDefault', 'DeleteAllKeys'],
      },
    },
  },
  [`${SYSTEM}/Bios`]: {
    AttributeRegistry: 'BiosAttributeRegistry.v1',
    Attributes: { BootMode: 'Uefi', NumCores: 4, Serial: 'x' },
    '@Redfish.Settings': {
      SettingsObject: { '@odata.id': `${SYSTEM}/Bios/Settings` },
      SupportedApplyTimes: ['OnReset'],
    },
    Actions: { '#Bios.ResetBios': { target: `${SYSTEM}/Bios/Actions/Bios.ResetBios` } },
  },
  [`${SYSTEM}/Bios/Settings`]: { Attributes: {} },
  '/redfish/v1/Registries': { Members: [{ '@odata.id': '/redfish/v1/Registries/BiosAttributeRegistry.v1' }] },
  '/redfish/v1/Registries/BiosAttributeRegistry.v1': {
    Location: [
      { Language: 'de', Uri: '/redfish/v1/none' },
      { Language: 'en', Uri: '/redfish/v1/Registries/bios.json' },
    ],
  },
  '/redfish/v1/Registries/bios.json': {
    RegistryEntries: {
      Attributes: [
        { AttributeName: 'BootMode', Type: 'Enumeration', Value: [{ ValueName: 'Uefi' }, { ValueName: 'Bios' }] },
        { AttributeName: 'NumCores', Type: 'Integer', LowerBound: 0, UpperBound: 8 },
        { AttributeName: 'Serial', Type: 'String', ReadOnly: true },
      ],
    },
  },
  [`${SYSTEM}/EthernetInterfaces`]: {
    Members: [{ '@odata.id': `${SYSTEM}/EthernetInterfaces/1` }, { '@odata.id': `${SYSTEM}/EthernetInterfaces/2` }],
  },
  [`${SYSTEM}/EthernetInterfaces/1`]: { Id: '1', MACAddress: '52-54-00-AA-00-01', SpeedMbps: 10000 },
  [`${SYSTEM}/EthernetInterfaces/2`]: { Id: '2', MACAddress: null },
  '/redfish/v1/UpdateService': {
    Actions: {
      '#UpdateService.SimpleUpdate': { target: '/redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate' },
    },
  },
  '/redfish/v1/EventService': {
    EventTypesForSubscription: ['Alert'],
    Subscriptions: { '@odata.id': '/redfish/v1/EventService/Subscriptions' },
  },
  '/redfish/v1/EventService/Subscriptions': { Members: [{ '@odata.id': '/redfish/v1/EventService/Subscriptions/5' }] },
  '/redfish/v1/EventService/Subscriptions/5': { Id: '5', Destination: 'https://a/', Secret: 'x' },
  [`${SYSTEM}/Storage`]: { Members: [{ '@odata.id': `${SYSTEM}/Storage/1` }] },
  [`${SYSTEM}/Storage/1`]: {
    Id: '1',
    Drives: [1, 2, 3].map((bay) => ({ '@odata.id': `${SYSTEM}/Storage/1/Drives/${bay}` })),
    Volumes: { '@odata.id': `${SYSTEM}/Storage/1/Volumes` },
  },
  [`${SYSTEM}/Storage/1/Volumes`]: { Members: [{ '@odata.id': `${SYSTEM}/Storage/1/Volumes/9` }] },
  [`${SYSTEM}/Storage/1/Volumes/9`]: {
    ...{ Id: '9', Name: 'old', RAIDType: 'RAID0', CapacityBytes: 10 * 1024 ** 3 },
    Links: { Drives: [{ '@odata.id': `${SYSTEM}/Storage/1/Drives/3` }] },
  },
  [`${SYSTEM}/Storage/1/Drives/2`]: { Id: '2', Name: 'Bay 2', CapacityBytes: 100 * 1024 ** 3, MediaType: 'SSD' },
  [`${SYSTEM}/Storage/1/Drives/3`]: { Id: '3', Name: 'Bay 3', CapacityBytes: 100 * 1024 ** 3, MediaType: 'SSD' },
  [`${SYSTEM}/Storage/1/Drives/1`]: {
    ...{ Id: '1', Name: 'Bay 1', Model: 'ST1', CapacityBytes: 1000, LocationIndicatorActive: false },
    Status: { Health: 'OK' },
  },
  [CHASSIS]: {
    Id: 'Blade',
    IndicatorLED: 'Lit',
    Thermal: { '@odata.id': `${CHASSIS}/Thermal` },
    Power: { '@odata.id': `${CHASSIS}/Power` },
  },
  [`${CHASSIS}/Thermal`]: {
    Fans: [{ MemberId: '0', Reading: 2100, ReadingUnits: 'RPM', Status: { State: 'Enabled', Health: 'OK' } }],
    Temperatures: [{ MemberId: '0', ReadingCelsius: 41.5, PhysicalContext: 'CPU', Status: { State: 'Enabled' } }],
  },
  [SYSTEM]: {
    '@odata.id': SYSTEM,
    Id: '1',
    PowerState: 'Off',
    Manufacturer: 'Acme',
    BiosVersion: 'P1.0',
    MemorySummary: { TotalSystemMemoryGiB: 64 },
    ProcessorSummary: { Count: 2, Model: 'Acme 9' },
    Bios: { '@odata.id': `${SYSTEM}/Bios` },
    EthernetInterfaces: { '@odata.id': `${SYSTEM}/EthernetInterfaces` },
    UUID: '00000000-0000-0000-0000-000000000001',
    IndicatorLED: 'Off',
    SecureBoot: { '@odata.id': `${SYSTEM}/SecureBoot` },
    Storage: { '@odata.id': `${SYSTEM}/Storage` },
    Links: {
      Chassis: [{ '@odata.id': CHASSIS }],
      ManagedBy: [{ '@odata.id': '/redfish/v1/Managers/1' }],
    },
    Boot: {
      BootSourceOverrideTarget: 'None',
      BootSourceOverrideEnabled: 'Disabled',
      BootSourceOverrideMode: 'UEFI',
      'BootSourceOverrideTarget@Redfish.AllowableValues': ['None', 'Pxe', 'Hdd', 'Cd', 'BiosSetup'],
    },
    Actions: {
      '#ComputerSystem.Reset': {
        target: RESET,
        'ResetType@Redfish.AllowableValues': [
          ...['On', 'ForceOff', 'ForceRestart', 'GracefulShutdown', 'GracefulRestart'],
        ],
      },
    },
  },
}
const POWER_AFTER: Readonly<Record<string, string>> = { ForceOff: 'Off', GracefulShutdown: 'Off' }

export class RedfishBmc implements AsyncDisposable {
  readonly resources = new Map<string, Json>()
  readonly requests: BmcRequest[] = []
  readonly sessions = new Map<string, string>()
  account = { username: 'admin', password: 'correct-horse' }
  hasSessions = true
  wantsTags = false
  /** Asked first. */
  behaviour: Behaviour = () => undefined
  readonly #server: Server
  #tags = 0

  constructor() {
    for (const [path, body] of Object.entries(RESOURCES)) this.resources.set(path, structuredClone(body))
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  static async start(): Promise<RedfishBmc> {
    const bmc = new RedfishBmc()
    await once(bmc.#server.listen(0, '127.0.0.1'), 'listening')
    return bmc
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }
  get system(): Json {
    return this.resources.get(SYSTEM) ?? {}
  }
  get boot(): Json {
    return this.system.Boot as Json
  }
  /** Of changes alone, in order: 'PATCH /redfish/v1/Systems/1 {...}'. */
  get changes(): string[] {
    return this.requests
      .filter(({ method, path }) => method !== 'GET' && path !== SESSIONS)
      .map(({ method, path, body }) => `${method} ${path} ${JSON.stringify(body)}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = ''
    for await (const chunk of message) text += chunk
    const path = message.url ?? '/'
    const request = { method: message.method ?? 'GET', path, body: parsed(text), headers: message.headers }
    this.requests.push(request)
    const answer = this.behaviour(request) ?? this.#answer(request)
    if (answer === 'hang') return
    const { status, headers = {}, body } = answer
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(answer.text ?? (body === undefined ? '' : JSON.stringify(body)))
  }

  #answer(request: BmcRequest): BmcAnswer {
    const { method, path } = request
    if (path === SESSIONS && method === 'POST') return this.#open(request)
    if (path !== ROOT && !this.#isKnown(request)) return refused(401, 'Base.1.8.NoValidSession', 'Who are you?')
    if (method === 'DELETE' && this.sessions.delete(pathToken(path))) return { status: 204 }
    if (path === RESET && method === 'POST') return this.#reset(request)
    if (path.includes('/Actions/') && method === 'POST') return this.#act(request)
    const resource = this.resources.get(path)
    if (!resource) return refused(404, 'Base.1.8.ResourceMissingAtURI', `There is nothing at ${path}.`)
    const headers: Record<string, string> = this.wantsTags ? { etag: `W/"${this.#tags}"` } : {}
    if (method === 'GET') return { status: 200, body: resource, headers }
    if (method === 'DELETE') {
      this.resources.delete(path)
      return { status: 204 }
    }
    if (method === 'POST') return this.#make(path, request.body)
    if (method !== 'PATCH') return refused(405, 'Base.1.8.OperationNotAllowed', 'Not this way.')
    return this.#change(request, resource)
  }

  #change({ headers, body }: BmcRequest, resource: Json): BmcAnswer {
    const tag = headers['if-match']
    if (this.wantsTags && tag === undefined) return refused(428, 'Base.1.8.PreconditionRequired', 'Which tag?')
    if (this.wantsTags && tag !== `"${this.#tags}"`) return refused(412, 'Base.1.8.PreconditionFailed', 'Another tag.')
    this.#tags++
    merge(resource, body)
    return { status: 204 }
  }

  /** A new member of a collection. */
  #make(path: string, body: Json): BmcAnswer {
    const member = `${path}/new`
    this.resources.set(member, { Id: 'new', ...body })
    return { status: 201, headers: { location: member } }
  }

  #open({ body }: BmcRequest): BmcAnswer {
    if (!this.hasSessions) return refused(404, 'Base.1.8.ResourceMissingAtURI', 'There are no sessions.')
    const { username, password } = this.account
    if (body.UserName !== username || body.Password !== password) {
      return refused(401, 'Base.1.8.ResourceAtUriUnauthorized', 'Wrong password.')
    }
    const token = randomUUID()
    this.sessions.set(token, username)
    return { status: 201, headers: { 'x-auth-token': token, location: `${SESSIONS}/${token}` }, body: {} }
  }

  #isKnown({ headers }: BmcRequest): boolean {
    const token = headers['x-auth-token']
    if (typeof token === 'string') return this.sessions.has(token)
    const { username, password } = this.account
    return headers.authorization === `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  }

  /** What is known of others than Reset: images go in and out of drives. */
  #act({ path, body }: BmcRequest): BmcAnswer {
    const resource = this.resources.get(path.slice(0, path.indexOf('/Actions/')))
    if (!resource) return refused(404, 'Base.1.8.ResourceMissingAtURI', `There is nothing at ${path}.`)
    if (path.endsWith('InsertMedia')) Object.assign(resource, { Image: body.Image, Inserted: true })
    if (path.endsWith('EjectMedia')) Object.assign(resource, { Image: null, Inserted: false })
    return { status: 204 }
  }

  #reset({ body }: BmcRequest): BmcAnswer {
    this.system.PowerState = POWER_AFTER[String(body.ResetType)] ?? 'On'
    return { status: 204 }
  }
}

export const refused = (status: number, MessageId: string, Message: string): BmcAnswer => ({
  status,
  body: { error: { code: MessageId, message: Message, '@Message.ExtendedInfo': [{ MessageId, Message }] } },
})

const pathToken = (path: string) => path.slice(SESSIONS.length + 1)

function parsed(text: string): Json {
  const body: unknown = text === '' ? {} : JSON.parse(text)
  return isTable(body) ? body : {}
}

function merge(into: Json, change: Json): void {
  for (const [key, value] of Object.entries(change)) {
    const before = into[key]
    if (isTable(value) && isTable(before)) merge(before, value)
    else into[key] = value
  }
}
