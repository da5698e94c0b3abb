/** Mutated messages: no crash, every offset in bounds and properly nested, any split the same. FUZZ_SECONDS, FUZZ_SEED. */
import { describe, expect, it } from 'vitest';
import { renderBodyStructure } from './body-structure.ts';
import { corpusFiles, parseImap, storedForm, hasCorpus } from './corpus.fixture.ts';
import { createLineEndNormalizer } from './line-ends.ts';
import { createScanner } from './scan.ts';
import { searchText } from './search-text.ts';
import { decodeStructure, type PartTree, type Span } from './structure.ts';
import { createTransferDecoder } from './transfer-encoding.ts';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 60);
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000_007);

/** mulberry32: small, good enough, and the same everywhere. */
function generator(state: number): (below: number) => number {
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below);
  };
}

const corpus = corpusFiles.map(storedForm).filter(({ length }) => length < 100_000);

const tokens = [
  '\r\n--',
  '--\r\n',
  '\r\n\r\n',
  '\n',
  '\r',
  '\0',
  '"',
  '\\',
  '(',
  ')',
  '<',
  '>',
  ':',
  ';',
  ',',
  '@',
  '=?utf-8?B?',
  '?=',
  '=',
  "*0*=utf-8''%",
  '%',
  'Content-Type: multipart/mixed; boundary="',
  'Content-Type: message/rfc822\r\n\r\n',
  '[',
  ']',
].map((token) => Buffer.from(token, 'latin1'));

type Random = ReturnType<typeof generator>;

function mutate(random: Random): Buffer {
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
  let octets = Buffer.from(pick(corpus));
  for (let count = 1 + random(8); count > 0; count--) {
    const at = random(octets.length + 1);
    const [head, tail] = [octets.subarray(0, at), octets.subarray(at)];
    const kind = random(6);
    if (kind === 0) octets = Buffer.concat([head, tail.subarray(random(200))]);
    else if (kind === 1) octets = Buffer.concat([head, pick(tokens), tail]);
    else if (kind === 2) octets = Buffer.concat([head, tail.subarray(0, random(500)), tail]);
    else if (kind === 3)
      octets = Buffer.concat([head, pick(corpus).subarray(0, random(3000)), tail]);
    else if (kind === 4) octets = Buffer.from(head.length > 50 ? head : octets);
    else if (at < octets.length) octets[at] = random(256);
  }
  return octets;
}

function inOrder(part: PartTree, within: Span): void {
  expect(part.header.start).toBeGreaterThanOrEqual(within.start);
  expect(part.header.end).toBeGreaterThanOrEqual(part.header.start);
  expect(part.body.start).toBe(part.header.end);
  expect(part.body.end).toBeGreaterThanOrEqual(part.body.start);
  expect(part.body.end).toBeLessThanOrEqual(within.end);
  let start = part.body.start;
  for (const child of part.children ?? (part.message ? [part.message.part] : [])) {
    inOrder(child, { start, end: part.body.end });
    start = child.body.end;
  }
}

async function check(octets: Buffer, random: Random): Promise<void> {
  const whole = createScanner();
  whole.write(octets);
  const facts = whole.finish();
  const split = createScanner();
  for (let at = 0; at < octets.length;) {
    const next = at + 1 + random(random(2) ? 5 : 5000);
    split.write(octets.subarray(at, next));
    at = next;
  }
  expect(split.finish()).toEqual(facts);
  parseImap(facts.envelope);
  expect([...facts.preview].length).toBeLessThanOrEqual(200);
  const tree = decodeStructure(facts.structure);
  parseImap(renderBodyStructure(tree, true));
  parseImap(renderBodyStructure(tree, false));
  inOrder(tree, { start: 0, end: octets.length });
  await searchText([octets]);
  const normalizer = createLineEndNormalizer();
  const clean = Buffer.concat([normalizer.write(octets), normalizer.finish()]).toString('latin1');
  expect(/(?:^|[^\r])\n/.test(clean)).toBe(false);
  for (const encoding of ['base64', 'quoted-printable']) {
    const decoder = createTransferDecoder(encoding);
    decoder.write(octets);
    decoder.finish();
  }
}

describe.skipIf(!hasCorpus)('mutated messages', () => {
  it(
    `are scanned without a crash, FUZZ_SEED=${seed}`,
    async () => {
      console.log(`FUZZ_SEED=${seed}`);
      const end = Date.now() + seconds * 1000;
      let runs = 0;
      for (; Date.now() < end; runs++) {
        // Each run has its own seed, so that one can be repeated alone.
        const own = seed + runs;
        const random = generator(own);
        const octets = mutate(random);
        try {
          await check(octets, random);
        } catch (error) {
          throw new Error(`FUZZ_SEED=${own}, ${octets.length} octets`, { cause: error });
        }
      }
      console.log(`${runs} messages`);
    },
    (seconds + 60) * 1000,
  );
});
