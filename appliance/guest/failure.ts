/** Why a virtual machine did not do what it was started for. */
import { ApplianceError } from '../errors.ts'

export class GuestFailure extends ApplianceError {
  /** The end of what it wrote to its console, for the log: a stranger's words. */
  readonly console: string

  constructor(message: string, o: { cause?: unknown; console?: string } = {}) {
    super(message, { cause: o.cause })
    this.console = o.console ?? ''
  }
}
