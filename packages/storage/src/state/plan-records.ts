/** Writes that concern records. */
import { MailError, type WriteResult } from '@mail-server-kit/core';
import { isWellFormed } from './names.ts';
import type { Planning, WriteOf } from './plan.ts';
import type { RecordState } from './world.ts';

const MAX_KEY = 200;
/** Larger things are content, which is read in parts. */
const MAX_VALUE = 4 * 1_048_576;

export function put(planning: Planning, write: WriteOf<'putRecord'>): WriteResult {
  const { space, key, value, expires, account } = write;
  checkKey(space);
  checkKey(key);
  if (value.length > MAX_VALUE) throw new MailError('LIMIT', 'Record too big');
  const content = write.content ? planning.content(write.content) : undefined;
  const octets = value.length + (content?.size ?? 0);
  const before = planning.draft.record(space, key);
  if (account !== undefined) {
    const had = before && !before.gone && before.account === account ? before.octets : 0;
    planning.charge(account, { octets: octets - had });
  }
  const version = (before?.version ?? 0) + 1;
  // That it is taken away is for the account to know that had it: it must not come back when the new one is destroyed.
  if (before && !before.gone && before.account !== account) erase(planning, space, key, before);
  const kept = planning.materials.keepRecord({ value, ...(content ? { content } : {}) }, account);
  const record: RecordState = {
    ...{ version, gone: false, kept, octets },
    ...(content ? { size: content.size } : {}),
    ...(expires === undefined ? {} : { expires }),
    ...(account === undefined ? {} : { account }),
  };
  planning.emit({ kind: 'record', space, key, record });
  return { version };
}

export function remove(planning: Planning, { space, key }: WriteOf<'deleteRecord'>): WriteResult {
  const before = planning.draft.record(space, key);
  if (!before || before.gone) return {};
  erase(planning, space, key, before);
  return { version: before.version };
}

export function erase(planning: Planning, space: string, key: string, before: RecordState): void {
  const { version, account } = before;
  const owner = account === undefined ? {} : { account };
  planning.emit({ kind: 'recordGone', space, key, version, ...owner });
}

export function expect(planning: Planning, write: WriteOf<'expectRecord'>): WriteResult {
  const record = planning.draft.record(write.space, write.key);
  const version = record && isThere(record, planning.now) ? record.version : 0;
  if (version !== write.version)
    throw new MailError('CONFLICT', 'The record has changed meanwhile');
  return { version };
}

export const isThere = (record: RecordState, now: number): boolean =>
  !record.gone && (record.expires === undefined || record.expires > now);

function checkKey(text: string): void {
  const octets = Buffer.byteLength(text);
  if (octets < 1 || octets > MAX_KEY || !isWellFormed(text)) {
    throw new TypeError('space and key of a record are 1 to 200 octets of UTF-8');
  }
}
