/**
 * For `node --import`: a test of a plugin, wherever it lies, finds the suites and types of the Rackstrap that this is
 * a file of. Runs nothing.
 */
import { registerHooks } from 'node:module'

const OURS = ['@appliance/core/', '@appliance/pxe/agent-api']

registerHooks({
  resolve: (specifier, context, next) =>
    OURS.some((name) => specifier.startsWith(name))
      ? next(specifier, { ...context, parentURL: import.meta.url })
      : next(specifier, context),
})
