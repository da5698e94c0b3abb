/** The index of one account, without a thread: what it finds is what the texts say, whatever was done to the files. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { EmailId, Query } from '@mail-server-kit/core';
import { foldText, matches, type SearchText } from '@mail-server-kit/mime';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { AccountFiles, Damaged } from './account-files.ts';
import { compile } from './compile.ts';
import { toDocument } from './document.ts';
import type { Listed } from './entry.ts';
import { scanIndex } from './scan-index.ts';
import { plain, sealer, type Sealer } from './seal.ts';
import { mayHave, probesOf, signatureOf } from './signature.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'msk-search-'));
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

let count = 0;
const owner = { store: new Uint8Array(16).fill(7), account: 'ann' };
/** As the store has made its own. */
const within = (name: string) => {
  fs.mkdirSync(path.join(root, path.dirname(name)), { recursive: true });
  return path.join(root, name);
};
const filesAt = (name: string, sealing: Sealer = plain, keep = 1e6) =>
  new AccountFiles(within(name), owner, sealing, keep);
const fresh = (sealing?: Sealer, keep?: number) => filesAt(`f${count++}/ann`, sealing, keep);
const turn = async () => {};

/** Few letters, so that much is found; letters that fold to others, and half of a pair. */
const letters = fc.constantFrom(
  ...'abcAB .:\n\tßéÉ日',
  'İ',
  'ſ',
  '\u{1f600}',
  '\ud83d',
  '\xff',
  'x',
);
const word = fc.string({ unit: letters, maxLength: 8 });
const value = word.map((text) => foldText(text.replace(/[ \t\r\n]+/g, ' ').trim()));
const name = fc.constantFrom('subject', 'from', 'to', 'x-a', 'a', 'x-ß');
const field = fc.record({ name, value });
const text: fc.Arbitrary<SearchText> = fc.record({
  header: fc.array(field, { maxLength: 4 }),
  partHeaders: fc.array(field, { maxLength: 2 }),
  body: fc.array(fc.string({ unit: letters, minLength: 1, maxLength: 60 }).map(foldText), {
    maxLength: 3,
  }),
});

const DAY = 86_400_000;
const leaf: fc.Arbitrary<Query> = fc.oneof(
  fc.record({ text: word, in: fc.constantFrom('body', 'text') }),
  fc.record({
    header: fc.constantFrom('SUBJECT', 'From', 'X-A', 'a', 'subject: a', 'X-ß'),
    contains: word,
  }),
  fc.record({ sentSince: fc.integer({ min: 0, max: 3 }).map((day) => day * DAY) }),
  fc.record({ emailId: fc.constantFrom('M1', 'M2').map((id) => id as EmailId) }),
);
const { query } = fc.letrec<{ query: Query }>((tie) => ({
  query: fc.oneof(
    { maxDepth: 3 },
    { arbitrary: leaf, weight: 3 },
    { arbitrary: fc.record({ not: tie('query') }), weight: 1 },
    { arbitrary: fc.record({ all: fc.array(tie('query'), { maxLength: 3 }) }), weight: 1 },
    { arbitrary: fc.record({ any: fc.array(tie('query'), { maxLength: 3 }) }), weight: 1 },
  ),
}));

const sentDays = [null, 0, DAY, 2 * DAY];
const aboutOf = (i: number) => ({
  place: 1000 + i * 10,
  mark: i % 5,
  emailId: `M${i % 3}`,
  sentDay: sentDays[i % 4] as number | null,
});
const listedAt = (of: SearchText, i: number): Listed => ({ ...toDocument(of), ...aboutOf(i) });

/** What the texts say, with uids from 1. */
function expected(texts: readonly SearchText[], asked: Query): number[] {
  return texts.flatMap((of, i) => {
    const { sentDay, emailId } = aboutOf(i);
    const known = { sentDay, emailId: emailId as EmailId, threadId: null, text: of };
    return matches(asked, known) ? [i + 1] : [];
  });
}

async function search(files: AccountFiles, texts: readonly SearchText[], asked: Query) {
  const places = Float64Array.from(texts, (_, i) => aboutOf(i).place);
  const uids = Uint32Array.from(texts, (_, i) => i + 1);
  const marks = Uint32Array.from(texts, (_, i) => aboutOf(i).mark);
  const wanted = { uids, places, marks };
  const { uids: found, unread } = await scanIndex(files, compile(asked), wanted, turn);
  return { found: found.sort((a, b) => a - b), unread };
}

/** In pieces of these sizes. */
function appendIn(files: AccountFiles, documents: readonly Listed[], sizes: readonly number[]) {
  for (let at = 0, i = 0; at < documents.length; i++) {
    const size = sizes[i % sizes.length] as number;
    files.append(documents.slice(at, at + size));
    at += size;
    if (i % 3 === 0) files.release();
  }
}

describe('the index of an account', () => {
  it.each([
    ['in memory', plain, 1e6],
    ['read each time', plain, 0],
    ['sealed', sealer(new Uint8Array(32).fill(1)), 1e6],
  ])('finds what the texts say (%s)', async (_, sealing, keep) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 1, maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 }),
        fc.array(query, { minLength: 1, maxLength: 6 }),
        async (texts, sizes, queries) => {
          const files = fresh(sealing, keep);
          appendIn(files, texts.map(listedAt), sizes);
          for (const asked of queries) {
            const { found, unread } = await search(files, texts, asked);
            expect(unread).toEqual([]);
            expect(found).toEqual(expected(texts, asked));
          }
          expect(files.totals().messages).toBe(texts.length);
          files.remove();
        },
      ),
      { numRuns: 30 },
    );
  });

  it('never says a wrong thing about files that were cut, changed or mixed up', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 20, maxLength: 40 }),
        query,
        fc.record({ catalog: fc.boolean(), at: fc.nat(), cut: fc.boolean(), bit: fc.nat(7) }),
        async (texts, asked, harm) => {
          const files = fresh(plain, harm.bit % 2 ? 1e6 : 0);
          appendIn(files, texts.map(listedAt), [7]);
          files.release();
          files.forget();
          damage(files, harm);
          try {
            const { found, unread } = await search(files, texts, asked);
            const right = expected(texts, asked).filter((uid) => !unread.includes(uid));
            expect(found).toEqual(right);
            // What is made anew is as good as before.
            files.append(texts.map(listedAt).filter((_, i) => unread.includes(i + 1)));
            expect(await search(files, texts, asked)).toEqual({
              found: expected(texts, asked),
              unread: [],
            });
          } catch (error) {
            if (!(error instanceof Damaged)) throw error;
          }
          files.remove();
        },
      ),
      { numRuns: 40 },
    );
  });

  it('keeps nothing of what is gone when it is rewritten, and everything else', async () => {
    const files = fresh();
    const texts = Array.from({ length: 100 }, (_, i): SearchText => ({
      header: [{ name: 'subject', value: `NUMBER ${i}` }],
      partHeaders: [],
      body: [`BODY OF ${i}`, i === 50 ? 'ZYMURGY'.repeat(100) : ''],
    }));
    appendIn(files, texts.map(listedAt), [9]);
    // Twice in it, as after a crash.
    files.append(texts.slice(90).map((of, i) => listedAt(of, 90 + i)));
    await files.rewrite((place) => place !== aboutOf(50).place && place < aboutOf(98).place, turn);
    expect(files.totals().messages).toBe(97);
    const { found, unread } = await search(files, texts, { text: 'body of', in: 'body' });
    expect(unread).toEqual([51, 99, 100]);
    expect(found).toHaveLength(97);
    files.release();
    const names = fs.readdirSync(path.dirname(files.base));
    expect(names).toHaveLength(2);
    expect(names.every((each) => /^ann\.(cat|[0-9a-f]{16}\.txt)$/.test(each))).toBe(true);
    files.append([listedAt(texts[50] as SearchText, 50)]);
    expect((await search(files, texts, { text: 'zymurgy', in: 'text' })).found).toEqual([51]);
  });

  it('takes no text for that of another message that lies at its place now', async () => {
    const files = fresh();
    const of: SearchText = { header: [], partHeaders: [], body: ['LOST WITH THE POWER'] };
    files.append([{ ...listedAt(of, 0), mark: 77 }]);
    const asked: Query = { text: 'lost', in: 'body' };
    expect(await search(files, [of], asked)).toEqual({ found: [], unread: [1] });
    files.append([listedAt(of, 0)]);
    expect(await search(files, [of], asked)).toEqual({ found: [1], unread: [] });
  });

  it('does not open files of another account, key, store or version', async () => {
    const of: SearchText = { header: [], partHeaders: [], body: ['SECRET'] };
    const write = (base: string, sealing: Sealer) => {
      filesAt(base, sealing).append([listedAt(of, 0)]);
    };
    const asked: Query = { text: 'secret', in: 'body' };
    write('x1/ann', plain);
    const other = new AccountFiles(
      path.join(root, 'x1/ann'),
      { ...owner, account: 'bob' },
      plain,
      0,
    );
    expect(await search(other, [of], asked)).toEqual({ found: [], unread: [1] });
    const key = sealer(new Uint8Array(32).fill(1));
    write('x2/ann', key);
    await expect(
      search(filesAt('x2/ann', sealer(new Uint8Array(32))), [of], asked),
    ).rejects.toThrow(Damaged);
    const files = fs.readdirSync(path.join(root, 'x2'));
    for (const file of files) {
      expect(fs.readFileSync(path.join(root, 'x2', file), 'latin1')).not.toContain('SECRET');
    }
    write('x3/ann', plain);
    const catalog = fs.readFileSync(path.join(root, 'x3/ann.cat'));
    catalog[8] = 99;
    fs.writeFileSync(path.join(root, 'x3/ann.cat'), catalog);
    expect(await search(filesAt('x3/ann'), [of], asked)).toEqual({ found: [], unread: [1] });
    expect(fs.readdirSync(path.join(root, 'x3'))).toEqual([]);
  });
});

function damage(
  { base }: AccountFiles,
  { catalog, at, cut, bit }: { catalog: boolean; at: number; cut: boolean; bit: number },
): void {
  const directory = path.dirname(base);
  const name = fs
    .readdirSync(directory)
    .find((each) => each.endsWith(catalog ? '.cat' : '.txt')) as string;
  const file = path.join(directory, name);
  const octets = fs.readFileSync(file);
  const offset = at % octets.length;
  if (!cut) octets[offset] = (octets[offset] as number) ^ (1 << bit);
  fs.writeFileSync(file, cut ? octets.subarray(0, offset) : octets);
}

describe('a signature', () => {
  it('skips no text that has the wanted string', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 3, maxLength: 400, max: 250 }),
        fc.nat(),
        (octets, at) => {
          const start = at % octets.length;
          expect(mayHave(probesOf(octets.subarray(start, start + 9)), signatureOf([octets]))).toBe(
            true,
          );
        },
      ),
    );
  });

  it('skips most texts that do not have it', () => {
    const texts = Array.from({ length: 200 }, (_, i) =>
      Buffer.from(foldText(`message number ${i} says ${(i * 7919).toString(36).repeat(40)}`)),
    );
    const probes = probesOf(Buffer.from('ZYMURGY'));
    const passed = texts.filter((of) => {
      return mayHave(probes, signatureOf([of]));
    });
    expect(passed.length).toBeLessThan(5);
  });
});
