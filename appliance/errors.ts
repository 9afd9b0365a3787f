/**
 * The refusals that the appliance expects, each with Ironic's name and HTTP code. api/app.ts turns them into the
 * wire's shape.
 */

/** Fault of the caller (4xx) or of the service (5xx), in the operator's words. */
export class ApplianceError extends Error {
  /** HTTP status code. */
  readonly code: number = 500
  override get name(): string {
    return this.constructor.name
  }
}

/** A value was given and is wrong. */
export class InvalidParameterValue extends ApplianceError {
  override readonly code = 400
}
/** A value is needed and was not given. */
export class MissingParameterValue extends ApplianceError {
  override readonly code = 400
}
/** The node has no such interface, or one that does nothing. */
export class UnsupportedDriverExtension extends InvalidParameterValue {
  constructor(driver: string, extension: string) {
    super(`Driver ${driver} does not support ${extension} (disabled or not implemented).`)
  }
}
/** The verb does not fit the node's provision_state. */
export class InvalidStateRequested extends ApplianceError {
  override readonly code = 400
}
/** No such node, port, driver, ... */
export class NotFound extends ApplianceError {
  override readonly code = 404
}
/** The path is there, and not by this method. */
export class MethodNotAllowed extends ApplianceError {
  override readonly code = 405
  readonly allowed: readonly string[]
  constructor(message: string, allowed: readonly string[]) {
    super(message)
    this.allowed = allowed
  }
}
export class NotAcceptable extends ApplianceError {
  override readonly code = 406
}
/** Duplicate uuid, name, MAC or instance_uuid; or a state that forbids the act. */
export class Conflict extends ApplianceError {
  override readonly code = 409
}
/** Another task has the lock of the node. Clients retry. */
export class NodeLocked extends ApplianceError {
  override readonly code = 409
}
/** The node is protected, or a policy forbids the operation. */
export class Forbidden extends ApplianceError {
  override readonly code = 403
}
export class PayloadTooLarge extends ApplianceError {
  override readonly code = 413
}
/** As much is under way as the appliance can bear. Clients ask again: Ironic's do so by themselves. */
export class ServiceUnavailable extends ApplianceError {
  override readonly code = 503
  readonly retry_after_s: number
  constructor(message: string, retry_after_s: number) {
    super(message)
    this.retry_after_s = retry_after_s
  }
}
/** Not enough room on a disk of the appliance, or its limits are reached. */
export class InsufficientStorage extends ApplianceError {
  override readonly code = 507
}
/** The BMC did not answer, refused, or answered nonsense. */
export class BmcFailure extends ApplianceError {
  override readonly code = 502
}
/** The agent did not answer, refused, or a command of its failed. */
export class AgentFailure extends ApplianceError {
  override readonly code = 502
}
/** An image, or the server it comes from, is not what it claims to be. */
export class ImageUnacceptable extends ApplianceError {
  override readonly code = 400
}
/** A step, a plugin or a deploy as a whole failed; the text becomes the node's last_error. */
export class DeployFailure extends ApplianceError {}

/** The text of anything thrown, for last_error and logs. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
