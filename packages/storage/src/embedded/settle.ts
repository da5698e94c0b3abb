/** Gives rows and records of a commit their places, once these are known. */
import type { Delta } from '../state/delta.ts';
import type { Rows } from '../state/columns.ts';
import type { Kept } from '../state/pieces.ts';

/** The rows are changed in place: nobody else has seen them yet. */
export function settle(
  deltas: readonly Delta[],
  where: (place: number, octets: number) => Kept,
): readonly Delta[] {
  return deltas.map((delta) => {
    if (delta.kind === 'rows') {
      settleRows(delta.rows, where);
      return delta;
    }
    if (delta.kind !== 'record') return delta;
    const { place, octets } = delta.record.kept;
    return { ...delta, record: { ...delta.record, kept: where(place, octets) } };
  });
}

function settleRows(rows: Rows, where: (place: number, octets: number) => Kept): void {
  for (let i = 0; i < rows.place.length; i++) {
    const place = rows.place[i] as number;
    if (place >= 0) continue;
    const kept = where(place, rows.placeOctets[i] as number);
    rows.place[i] = kept.place;
    rows.placeOctets[i] = kept.octets;
  }
}
