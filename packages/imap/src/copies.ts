/** COPYUID (RFC 9051 section 7.1). */
import { countUids, printUids, type UidValidity, type WriteResult } from '@mail-server-kit/core';

/** With its brackets; undefined if nothing was copied: "uid-set" cannot be empty. */
export function copyUid(
  uidValidity: UidValidity,
  result: WriteResult | undefined,
): string | undefined {
  const { copies } = result ?? {};
  if (!copies || countUids(copies.from) === 0) return undefined;
  return `[COPYUID ${uidValidity} ${printUids(copies.from)} ${printUids(copies.to)}]`;
}
