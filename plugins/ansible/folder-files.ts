/** Files in the folder of a node's procedure: a plugin writes by programs, secrets by their standard input. */
import type { AnsibleTask } from './node-fields.ts'

type Given = Pick<AnsibleTask, 'exec' | 'folder'>

/** Only the appliance's account reads it. @returns its absolute path */
export async function writeFile({ exec, folder }: Given, name: string, content: string): Promise<string> {
  const path = `${await folder()}/${name}`
  await exec('sh', ['-c', 'umask 077 && cat >"$0"', path], { input: content })
  return path
}

/** A key pair for this procedure alone, made once. @returns path of the private key, and the public key */
export async function keyPair({ exec, folder }: Given): Promise<{ path: string; publicKey: string }> {
  const path = `${await folder()}/id_ed25519`
  // Half of a pair is no pair.
  const make =
    'test -s "$0" && test -s "$0.pub" || { rm -f "$0" "$0.pub"; ssh-keygen -q -t ed25519 -N "" -C "" -f "$0"; }'
  const { stdout } = await exec('sh', ['-c', `${make} && cat "$0.pub"`, path], { timeout_s: 60 })
  return { path, publicKey: stdout.trim() }
}
