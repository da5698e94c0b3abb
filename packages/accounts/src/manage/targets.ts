/** Where aliases and catch-alls may lead. */
import { MailError, addressKey, printAddress, type Address } from '@mail-server-kit/core';
import { MAX_EXPANSION, type Routing } from '../routing.ts';
import { addressOf, missing } from './changes.ts';

const MAX_TARGETS = 100;

/**
 * `self`: the alias that is to lead there; absent for a catch-all. @returns the targets as they are kept, each once
 * @throws MailError NONEXISTENT for a target of ours that is not there, CANNOT for a loop, LIMIT
 */
export async function checkedTargets(
  routing: Routing,
  targets: string | readonly string[],
  self?: Address,
): Promise<string[]> {
  const list = (typeof targets === 'string' ? [targets] : targets).map(addressOf);
  if (list.length === 0) throw new TypeError('at least one target is needed');
  if (list.length > MAX_TARGETS) {
    throw new MailError('LIMIT', `At most ${MAX_TARGETS} targets are possible`);
  }
  const behind = new Set<string>();
  for (const target of list) {
    const { ours, routes, passed } = await routing.expand(target, {
      catchAll: self !== undefined,
    });
    const text = printAddress(target);
    if (self && passed.has(addressKey(self))) {
      throw new MailError('CANNOT', `${text} leads back to ${printAddress(self)}`);
    }
    if (ours && routes.length === 0) missing(`There is no address ${text}`);
    for (const each of passed) behind.add(each);
  }
  if (behind.size >= MAX_EXPANSION) {
    throw new MailError('LIMIT', 'The targets lead to too many addresses');
  }
  return [...new Map(list.map((target) => [addressKey(target), printAddress(target)])).values()];
}
