/** Switching extensions on: by ENABLE, or by using what belongs to them (RFC 7162 section 3.1). */
import type { Session } from './session.ts';

/** True if `name` (in capitals) is known and was off. */
export function switchOn(session: Session<'authenticated'>, name: string): boolean {
  const row = session.wiring.dialect.enables.get(name);
  if (!row || session.enabled.has(name)) return false;
  session.enabled.add(name);
  row.enable(session);
  for (const also of row.implies ?? []) switchOn(session, also);
  return true;
}

/** For table rows that say which extension their use switches on. */
export function switchOnFor(
  session: Session<'authenticated'>,
  rows: Iterable<{ readonly enables?: string | undefined } | undefined>,
): void {
  for (const row of rows) if (row?.enables !== undefined) switchOn(session, row.enables);
}
