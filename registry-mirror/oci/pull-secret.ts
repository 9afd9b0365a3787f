/**
 * The one reader of pull secrets: auth files as docker, podman and Kubernetes write them, and what people set for one
 * image. What it says of one that cannot be used never quotes it.
 */
import { isObject, type JsonObject } from '@appliance/ground/json'
import { parseJson } from '@appliance/ground/json-meter'
import { trimEnd } from '@appliance/ground/trim-end'
import type { Credentials } from '../oci/secret.ts'

/** A sentence's end, such as "it is not JSON". */
type Problem = { problem: string }
export type Found = { credentials: Credentials } | Problem

/** Docker's own registry goes by several names. */
const DOCKER_HOSTS = ['docker.io', 'index.docker.io', 'registry-1.docker.io']
export const hostsOf = (host: string): readonly string[] => (DOCKER_HOSTS.includes(host) ? DOCKER_HOSTS : [host])

/**
 * What an auth file has for an image, or for all of a registry: the most particular entry, as containers-auth.json(5)
 * has it.
 * @param reference  HOST[:PORT][/PATH][:TAG][@DIGEST]
 * @returns undefined: nothing
 */
export function inAuthFile(file: string | JsonObject, reference: string): Found | undefined {
  const auths = authsOf(file)
  if (typeof auths === 'string') return { problem: auths }
  const entries = entriesOf(auths)
  for (const place of placesOf(reference)) {
    const entry = entries.get(place)
    const found = entry === undefined ? undefined : credentialsOf(entry, place)
    if (found !== undefined) return found
  }
  return undefined
}

/** The same for all of a registry; where only one entry is for a part of it, that one. */
export function credentialsIn(file: string, host: string): Credentials | undefined {
  const auths = authsOf(file)
  if (typeof auths === 'string') return undefined
  const parts = [...entriesOf(auths)].filter(([place]) => place.startsWith(`${hostOf(host)}/`))
  const found =
    inAuthFile(file, host) ?? (parts[0] && parts.length === 1 ? credentialsOf(parts[0][1], parts[0][0]) : undefined)
  return found && 'credentials' in found ? found.credentials : undefined
}

/**
 * What a person may set for one image: base64 of USER:PASSWORD, USER:PASSWORD, an auth file as text, as base64 or as
 * an object, or the Kubernetes secret that holds one.
 * @source Ironic: image_pull_secret, of which it hands on what follows the first colon
 */
export function readPullSecret(value: unknown, reference: string): Found {
  const host = reference.split('/')[0] ?? ''
  const none = {
    problem: `is no pull secret: expected base64 of USER:PASSWORD as in a registry's auth file, USER:PASSWORD itself, or the auth file's JSON with an entry for ${host}`,
  }
  const fromFile = (file: string | JsonObject): Found => {
    const found = inAuthFile(file, reference)
    if (found === undefined || 'credentials' in found) return found ?? none
    return { problem: `cannot be used: ${found.problem}` }
  }
  if (isObject(value)) return 'auths' in value || isSecretObject(value) ? fromFile(value) : none
  if (typeof value !== 'string') return none
  const text = value.trim()
  if (text.startsWith('{')) return isObject(parsed(text)) ? fromFile(text) : none
  const plain = decoded(text)
  if (plain?.trimStart().startsWith('{')) return isObject(parsed(plain)) ? fromFile(plain) : none
  const credentials = splitAt(plain) ?? splitAt(decoded(text.slice(text.indexOf(':') + 1))) ?? splitAt(text)
  return credentials ? { credentials } : none
}

function parsed(text: string): unknown {
  try {
    return parseJson(text)
  } catch {
    // No JSON, which the caller says. The parser's words would quote the secret.
    return undefined
  }
}

const SECRET_FIELDS = ['.dockerconfigjson', '.dockercfg'] as const
const dataOf = (value: JsonObject): JsonObject => {
  const data = value.data ?? value.stringData
  return isObject(data) ? data : value
}
const isSecretObject = (value: JsonObject) => SECRET_FIELDS.some((field) => field in dataOf(value))

/**
 * Of `{"auths": {}}`, of a Kubernetes secret around it, or of the older file without `auths`.
 * @returns a text: why it has none
 */
function authsOf(file: string | JsonObject): JsonObject | string {
  const json = typeof file === 'string' ? (parsed(file) ?? parsed(decoded(file.trim()) ?? '')) : file
  if (json === undefined) return 'it is not JSON'
  if (!isObject(json)) return 'it has no object "auths"'
  if (isObject(json.auths)) return json.auths
  const data = dataOf(json)
  const field = SECRET_FIELDS.find((one) => one in data)
  if (field !== undefined) {
    const inner =
      typeof data[field] === 'string' ? (parsed(data[field]) ?? parsed(decoded(data[field]) ?? '')) : data[field]
    const auths = isObject(inner) ? (inner.auths ?? (field === '.dockercfg' ? inner : undefined)) : undefined
    return isObject(auths) ? auths : `its ${field} holds no object "auths"`
  }
  const entries = Object.values(json)
  const isOlder = entries.length > 0 && entries.every((one) => isObject(one) && ('auth' in one || 'username' in one))
  return isOlder ? json : 'it has no object "auths"'
}

/** By their plain places; one that is written plainly counts before an address that means the same. */
function entriesOf(auths: JsonObject): Map<string, unknown> {
  const entries = new Map<string, unknown>()
  const isPlain = (key: string) => placeOf(key) === key
  for (const [key, entry] of Object.entries(auths).sort(([a], [b]) => Number(isPlain(a)) - Number(isPlain(b))))
    if (!entries.has(placeOf(key)) || isPlain(key)) entries.set(placeOf(key), entry)
  return entries
}

/**
 * docker writes https://index.docker.io/v1/ for its own, and addresses mean a whole host.
 * @source containers/image, normalizeAuthFileKey
 */
function placeOf(key: string): string {
  const isAddress = /^https?:\/\//i.test(key)
  const plain = trimEnd(key.replace(/^https?:\/\//i, ''), '/')
  const [host = '', ...path] = plain.split('/')
  const isWhole = isAddress || /^v[12]$/.test(path.join('/'))
  return isWhole || path.length === 0 ? hostOf(host) : `${hostOf(host)}/${path.join('/')}`
}
const hostOf = (host: string) => (DOCKER_HOSTS.includes(host.toLowerCase()) ? 'docker.io' : host.toLowerCase())

/** The most particular one first: quay.io/org/app, quay.io/org, quay.io. */
function placesOf(reference: string): string[] {
  const [host = '', ...path] = reference.replace(/@.*$/, '').split('/')
  const last = path.pop()?.replace(/:.*$/, '')
  const whole = last === undefined ? path : [...path, last]
  const parts = hostOf(host) === 'docker.io' && whole.length === 1 ? ['library', ...whole] : whole
  return [...parts.map((_, at) => [hostOf(host), ...parts.slice(0, parts.length - at)].join('/')), hostOf(host)]
}

/** @returns undefined  the entry has no credentials, as when a credential helper has them */
function credentialsOf(entry: unknown, place: string): Found | undefined {
  const text = (value: unknown) => (typeof value === 'string' && value.trim() !== '' ? value : undefined)
  if (!isObject(entry)) return { problem: `its entry for ${place} is no object` }
  const [auth, username, password] = [text(entry.auth), text(entry.username), text(entry.password)]
  if (username !== undefined && password !== undefined && isPair(username, password))
    return { credentials: { username, password } }
  const credentials = auth === undefined ? undefined : splitAt(trimEnd(decoded(auth.trim()) ?? '', '\0'))
  if (credentials) return { credentials }
  if (text(entry.identitytoken) !== undefined)
    return {
      problem: `its entry for ${place} has an identity token alone, by which nothing is pulled here. Log in with an access token as the password`,
    }
  return auth === undefined
    ? undefined
    : { problem: `its entry for ${place} has an auth that is no base64 of USER:PASSWORD` }
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
/** @returns undefined: it is no base64. Tools that write it break it into lines. */
function decoded(text: string): string | undefined {
  const joined = text.replace(/\s+/g, '')
  return BASE64.test(joined) ? Buffer.from(joined, 'base64').toString() : undefined
}

const isPair = (username: string, password: string) => /^[^:\p{Cc}]+$/u.test(username) && /^[^\p{Cc}]+$/u.test(password)

function splitAt(text: string | undefined): Credentials | undefined {
  const at = text?.indexOf(':') ?? -1
  if (text === undefined || at < 0) return undefined
  const [username, password] = [text.slice(0, at), text.slice(at + 1)]
  return isPair(username, password) ? { username, password } : undefined
}
