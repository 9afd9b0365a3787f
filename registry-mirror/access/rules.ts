/** Rules of who may do what with which repository: the first one that matches counts. */

import type { Action } from '../http/handle.ts'
import { RegistryError } from '../oci/errors.ts'

/** Names of users; users: all who have credentials. */
export type Who = 'anyone' | 'users' | 'nobody' | ReadonlySet<string>
export type Rule = {
  pattern: RegExp
  /** What stands in the pattern before its first *. */
  head: string
  actions: ReadonlySet<Action>
  who: Who
}

const ACTIONS: readonly Action[] = ['pull', 'push', 'delete']
const isAction = (text: string): text is Action => (ACTIONS as readonly string[]).includes(text)

/** @throws RegistryError  one that is none */
export const parseRules = (texts: readonly string[]): Rule[] => texts.map(parseRule)

function parseRule(text: string): Rule {
  const [pattern = '', actionsText = '', whoText = '', ...more] = text.split(/\s+/)
  const actions = actionsText.split(',')
  const isWrong = whoText === '' || more.length > 0 || !actions.every(isAction) || !/^[a-z0-9._/*-]+$/.test(pattern)
  if (isWrong)
    throw new RegistryError(
      `[registry] access_rules: '${text}' is no rule: expected PATTERN ACTIONS WHO, such as 'team-a/* push,delete alice,bob': ` +
        '* in a pattern stands for anything; ACTIONS are of pull, push, delete; WHO is anyone, users, nobody, or names.',
    )
  const who =
    whoText === 'anyone' || whoText === 'users' || whoText === 'nobody' ? whoText : new Set(whoText.split(','))
  const parts = pattern.split('*')
  const escaped = parts.map((part) => part.replace(/[.\\]/g, '\\$&'))
  return {
    pattern: new RegExp(`^${escaped.join('.*')}$`),
    head: parts[0] ?? '',
    actions: new Set(actions.filter(isAction)),
    who,
  }
}

export const ruleFor = (action: Action, name: string, rules: readonly Rule[]): Rule | undefined =>
  rules.find(({ pattern, actions }) => actions.has(action) && pattern.test(name))

/** @param user  undefined: without credentials */
export const isAmong = (user: string | undefined, who: Who): boolean =>
  who === 'anyone' || (user !== undefined && (who === 'users' || (typeof who === 'object' && who.has(user))))
