/**
 * Errors as ironic-python-agent tells them: type, code, message, details. Clients show `details`, so they say what to
 * do.
 */

/** Name to summary and HTTP status. @source ironic-python-agent errors.py */
const KINDS = {
  InvalidCommandError: ['Invalid command', 400],
  InvalidCommandParamsError: ['Invalid command parameters', 400],
  RequestedObjectNotFoundError: ['Not found', 404],
  AgentIsBusy: ['Agent is busy', 409],
  CommandExecutionError: ['Command execution failed', 500],
  LookupNodeError: ['Error getting configuration from Ironic', 500],
  HeartbeatError: ['Error heartbeating to agent API', 500],
  ImageDownloadError: ['Error downloading image', 500],
  ImageDownloadTimeoutError: ['Image download timeout', 408],
  ImageChecksumError: ['Error verifying image checksum', 500],
  ImageWriteError: ['Error writing image to device', 500],
  InvalidImage: ['The provided image is not valid for use', 500],
  BlockDeviceEraseError: ['Error erasing block device', 500],
  DeviceNotFound: ['Error finding the disk or partition device to deploy the image onto', 404],
  VersionMismatch: ['Hardware managers version mismatch, reload agent with correct version', 409],
  ProtectedDeviceError: ['Protected device located', 500],
  CleaningError: ['Clean step failed', 500],
  DeploymentError: ['Deploy step failed', 500],
  ServicingError: ['Service step failed', 500],
  SystemRebootError: ['Error rebooting system', 500],
} as const satisfies Record<string, readonly [string, number]>

export type ErrorKind = keyof typeof KINDS
export type WireError = { type: string; code: number; message: string; details: string }

export class AgentError extends Error {
  readonly kind: ErrorKind
  readonly details: string
  constructor(kind: ErrorKind, details: string, options?: ErrorOptions) {
    super(`${KINDS[kind][0]}: ${details}`, options)
    this.kind = kind
    this.details = details
  }
  get code(): number {
    return KINDS[this.kind][1]
  }
  toWire(): WireError {
    return { type: this.kind, code: this.code, message: KINDS[this.kind][0], details: this.details }
  }
}

export const messageOf = (error: unknown): string => {
  const cause = error instanceof AggregateError ? error.errors[0] : error
  return cause instanceof Error ? cause.message || cause.name : String(cause)
}
