/** Why a virtual machine did not do what it was started for. */
import { ApplianceError } from '../errors.ts'

export class GuestFailure extends ApplianceError {
  /** The last lines of its console, for the log. A stranger wrote them. */
  readonly console: string

  constructor(message: string, o: { cause?: unknown; console?: string } = {}) {
    super(message, { cause: o.cause })
    this.console = o.console ?? ''
  }
}
