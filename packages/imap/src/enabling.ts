/** Switching extensions on: by ENABLE, or by using what belongs to them (RFC 7162 section 3.1). */
import type { Call } from './command.ts';

/** The command that does it. */
type Switching = Pick<Call<'authenticated', unknown>, 'session' | 'respond'>;

/** True if `name` (in capitals) is known and was off. */
export function switchOn(call: Switching, name: string): boolean {
  const { session, respond } = call;
  const row = session.wiring.dialect.enables.get(name);
  if (!row || session.enabled.has(name)) return false;
  session.enabled.add(name);
  row.enable(session, respond);
  for (const also of row.implies ?? []) switchOn(call, also);
  return true;
}

/** For table rows that say which extension their use switches on. */
export function switchOnFor(
  call: Switching,
  rows: Iterable<{ readonly enables?: string | undefined } | undefined>,
): void {
  for (const row of rows) if (row?.enables !== undefined) switchOn(call, row.enables);
}
