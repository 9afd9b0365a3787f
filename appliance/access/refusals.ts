/** What the door of the API answers when it lets nobody through, each with its HTTP code and headers. */
import { ApplianceError } from '../errors.ts'
import type { Role } from './caller.ts'

/** Refused before the API itself was asked. */
export class Refused extends ApplianceError {
  readonly headers: Readonly<Record<string, string>> = {}
}

/** Who asks could not be found out, by a fault of the appliance. */
export class DoorFailed extends Refused {
  override readonly code = 500
  constructor() {
    super('The appliance failed to find out who asks. Its log says why.')
  }
}
/** The request names another host than this box, or is no request that may be taken for one. */
export class Misdirected extends Refused {
  override readonly code = 400
}
/** A page of another origin sent it. */
export class ForeignOrigin extends Refused {
  override readonly code = 403
}
export class NotJson extends Refused {
  override readonly code = 415
}
/** The caller is known and its role does not allow the act. */
export class RoleForbids extends Refused {
  override readonly code = 403
  readonly user: string
  readonly role: Role
  constructor(user: string, role: Role) {
    super(`User ${user} has the role ${role}, and may read and change nothing.`)
    this.user = user
    this.role = role
  }
}

/** About a log-in: its body has a shape of its own. @source Ironic common/auth_basic.py format_exception */
export class LoginRefused extends Refused {}
export class BadAuthorization extends LoginRefused {
  override readonly code = 400
}
export class Unauthorized extends LoginRefused {
  override readonly code = 401
  override readonly headers = { 'www-authenticate': 'Basic realm="Baremetal API"' }
}
/** What a user may do cannot be read now. */
export class RoleUnknown extends LoginRefused {
  override readonly code = 503
  override readonly headers = { 'retry-after': '5' }
}
export class TooManyLogins extends LoginRefused {
  override readonly code = 429
  override readonly headers: Readonly<Record<string, string>>
  constructor(retry_after_s: number) {
    super(`Too many log-ins failed, or are being checked. Try again in ${retry_after_s} s.`)
    this.headers = { 'retry-after': String(retry_after_s) }
  }
}
