/** Facts of a message (core, store.ts): from its octets, or from facts and the header fields put in front. */
import type { Facts } from '@mail-server-kit/core';
import { createScanner, type ScanOptions } from './scan.ts';
import { growRootHeader } from './structure.ts';

/** Reads all of `octets`; keeps none of it. Throws what `octets` throws. */
export async function factsOf(
  octets: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options?: ScanOptions,
): Promise<Facts> {
  const scanner = createScanner(options);
  for await (const chunk of octets) scanner.write(chunk);
  return scanner.finish();
}

/**
 * The facts of the same message with `header` in front, without reading it again. `header`: complete lines, CRLF
 * included, of trace fields (Return-Path, Received, Authentication-Results, ...): none that ENVELOPE or BODYSTRUCTURE show.
 */
export function prependHeader(facts: Facts, header: Uint8Array): Facts {
  if (header.length === 0) return facts;
  return { ...facts, structure: growRootHeader(facts.structure, header.length) };
}
