/**
 * Changes the record of what a machine boots, and says what belongs to its instance. What it means to a machine is in
 * boot.ts.
 */
import { messageOf, NotFound } from '../../errors.ts'
import { type Boot, type InstanceFile, newBoot } from '../../records/kinds/boot.ts'
import type { Parts } from '../parts/parts.ts'

export type BootRecords = { store: Pick<Parts['store'], 'boots'> }

/** Resolves when durable: the machine may be started then. */
export async function setBoot(
  { store }: BootRecords,
  uuid: string,
  change: (boot: Boot) => Partial<Boot>,
): Promise<void> {
  try {
    await store.boots.update(uuid, change)
  } catch (error) {
    if (!(error instanceof NotFound)) throw error
    const fresh = newBoot(uuid, { window: null })
    await store.boots.create({ ...fresh, ...change(fresh) }).catch(async (conflict: unknown) => {
      // Somebody else was first to write it.
      if (!store.boots.get(uuid)) throw conflict
      await store.boots.update(uuid, change)
    })
  }
}

/** The agent is no longer to be booted, and what was for its deploy alone is gone. */
export const endProcedureBoot = (parts: BootRecords, uuid: string, o: Ending = {}): Promise<void> =>
  leave(parts, uuid, o, ({ instance, texts_secret, asked, files_key_secret }) => {
    const texts = Object.entries(texts_secret).filter(([, { until }]) => until === 'instance')
    const files = instance === null ? {} : { asked, files_key_secret }
    return { instance, texts_secret: Object.fromEntries(texts), ...files }
  })

/** The machine boots nothing of this box any more. */
export const forgetBoot = (parts: BootRecords, uuid: string, o: Ending = {}): Promise<void> =>
  leave(parts, uuid, o, () => ({}))

/** `staysBooted`: the machine stays in the boot of the agent that has begun, for the next procedure. */
type Ending = { staysBooted?: boolean }
type Left = Partial<Pick<Boot, 'instance' | 'texts_secret' | 'asked' | 'files_key_secret'>>

async function leave(
  { store }: BootRecords,
  uuid: string,
  { staysBooted = false }: Ending,
  left: (boot: Boot) => Left,
): Promise<void> {
  const boot = store.boots.get(uuid)
  if (!boot) return
  if (staysBooted) {
    const { instance = null, texts_secret = {} } = left(boot)
    await store.boots.update(uuid, { files_secret: [], instance, texts_secret })
    return
  }
  const { instance = null, texts_secret = {}, asked = null, files_key_secret = '' } = left(boot)
  if (instance === null && Object.keys(texts_secret).length === 0) await store.boots.delete(uuid)
  else {
    const kept = { instance, texts_secret, asked, files_key_secret }
    await store.boots.update(uuid, { agent: false, window: null, files_secret: [], ...kept })
  }
}

/**
 * Links to the node's image and files go, but for what its instance boots from. A failure is noted, and changes
 * nothing.
 */
export async function releaseFiles(parts: BootRecords & Pick<Parts, 'images' | 'log'>, uuid: string): Promise<void> {
  const kept = filesOfInstance(parts, uuid).map(({ name }) => name)
  await parts.images.release(uuid, kept).catch((error: unknown) => {
    parts.log.warn('image not released', { node: uuid, reason: messageOf(error), error })
  })
}

/** What a machine fetches at each start of its instance. */
export function filesOfInstance({ store }: BootRecords, uuid: string): readonly InstanceFile[] {
  const instance = store.boots.get(uuid)?.instance
  if (!instance) return []
  return instance.kind === 'iso' ? [instance.iso] : [instance.kernel, ...instance.ramdisks]
}
