import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderBodyStructure } from './body-structure.ts';
import { corpusFiles, parseImap, storedForm } from './corpus.fixture.ts';
import { factsOf, prependHeader } from './facts.ts';
import { createScanner, type ScanOptions } from './scan.ts';
import { decodeStructure, type PartTree } from './structure.ts';

const crlf = (text: string) => Buffer.from(text.replaceAll('\n', '\r\n'), 'latin1');

function scan(octets: Uint8Array, options?: ScanOptions, cuts: readonly number[] = []) {
  const scanner = createScanner(options);
  let from = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    // A scanner must not keep the memory of the caller, so it is wiped behind its back.
    const chunk = Buffer.from(octets.subarray(from, cut));
    scanner.write(chunk);
    chunk.fill(0);
    from = Math.max(from, cut);
  }
  scanner.write(octets.subarray(from));
  return scanner.finish();
}

const treeOf = (octets: Uint8Array, options?: ScanOptions) =>
  decodeStructure(scan(octets, options).structure);

const bodyOf = (octets: Buffer, part: PartTree | undefined) =>
  part && octets.toString('latin1', part.body.start, part.body.end);

/** Lines that mean something to a scanner, and such that nearly do. */
const line = fc.constantFrom(
  'Subject: x\r\n',
  'Content-Type: multipart/mixed; boundary=a\r\n',
  'Content-Type: multipart/digest; boundary="ab"\r\n',
  'Content-Type: message/rfc822\r\n',
  'Content-Type: text/html; charset=utf-8\r\n',
  ' folded\r\n',
  '\r\n',
  '\n',
  '\r',
  '\r\r\n',
  '-',
  '--',
  '--a\r\n',
  '--a--\r\n',
  '--a--',
  '--ab\r\n',
  '--ab--\r\n',
  '--a',
  'text\r\n',
  '\xe4\xf6\r\n',
  '\0',
);

describe('createScanner', () => {
  it('finds the same in any split of a message', () => {
    const message = fc
      .array(line, { maxLength: 40 })
      .map((lines) => Buffer.from(lines.join(''), 'latin1'));
    const cuts = fc.array(fc.nat(400), { maxLength: 12 });
    const limits = fc.record({
      maxDepth: fc.integer({ min: 2, max: 6 }),
      maxParts: fc.integer({ min: 2, max: 12 }),
      maxHeaderOctets: fc.integer({ min: 20, max: 200 }),
    });
    fc.assert(
      fc.property(message, cuts, limits, (octets, at, options) => {
        expect(scan(octets, options, at)).toEqual(scan(octets, options));
      }),
      { numRuns: 2000 },
    );
  });

  it('finds the same when real messages come octet by octet', () => {
    for (const file of corpusFiles.filter((_, index) => index % 9 === 0)) {
      const octets = storedForm(file).subarray(0, 20_000);
      const each = Array.from({ length: octets.length }, (_, at) => at);
      expect(scan(octets, undefined, each), file).toEqual(scan(octets));
    }
  });

  it('counts offsets in octets, with the line end before a delimiter outside of the part', () => {
    const octets = crlf(
      'Content-Type: multipart/mixed; boundary=x\n\npreamble\n--x\n\none\n--x\nContent-Type: image/png\n\n\ntwo\n\n--x--\nepilogue',
    );
    const tree = treeOf(octets);
    expect(tree.children?.map((part) => bodyOf(octets, part))).toEqual(['one', '\r\ntwo\r\n']);
    expect(bodyOf(octets, tree)).toMatch(/^preamble\r\n.*epilogue$/s);
    expect(tree.children?.map(({ lines }) => lines)).toEqual([0, 2]);
  });

  it('ends inner parts at a delimiter of an outer one', () => {
    const octets = crlf(
      'Content-Type: multipart/mixed; boundary=out\n\n--out\nContent-Type: multipart/mixed; boundary=in\n\n--in\n\na\n--out\n\nb\n--out--\n',
    );
    const tree = treeOf(octets);
    expect(bodyOf(octets, tree.children?.[0]?.children?.[0])).toBe('a');
    expect(bodyOf(octets, tree.children?.[1])).toBe('b');
  });

  it('takes a boundary that begins with another for the longer one', () => {
    const octets = crlf(
      'Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: multipart/mixed; boundary=xy\n\n--xy\n\na\n--xy--\n--x\n\nb\n--x--\n',
    );
    const tree = treeOf(octets);
    expect(bodyOf(octets, tree.children?.[0]?.children?.[0])).toBe('a');
    expect(bodyOf(octets, tree.children?.[1])).toBe('b');
  });

  it('takes parts of multipart/digest for messages', () => {
    const octets = crlf(
      'Content-Type: multipart/digest; boundary=x\n\n--x\n\nSubject: a\n\nhi\n--x--\n',
    );
    const part = treeOf(octets).children?.[0];
    expect(part?.type).toBe('message');
    expect(bodyOf(octets, part?.message?.part)).toBe('hi');
    expect(Buffer.from(part?.message?.envelope ?? []).toString()).toContain('(NIL "a" NIL');
  });

  it('knows an empty message, a header alone and a body alone', () => {
    expect(treeOf(Buffer.alloc(0))).toMatchObject({
      header: { start: 0, end: 0 },
      body: { start: 0, end: 0 },
    });
    expect(treeOf(crlf('A: b\n'))).toMatchObject({
      header: { start: 0, end: 6 },
      body: { start: 6, end: 6 },
    });
    expect(treeOf(crlf('\nbody'))).toMatchObject({
      header: { start: 0, end: 2 },
      body: { start: 2, end: 6 },
    });
  });

  it('says whether ENVELOPE and BODYSTRUCTURE are ASCII', () => {
    expect(scan(crlf('Subject: a\n\n\xe4')).ascii).toBe(true);
    expect(scan(crlf('Subject: \xe4\n\n')).ascii).toBe(false);
    expect(scan(crlf('Content-Type: text/plain; name="\xe4"\n\n')).ascii).toBe(false);
  });

  it('gives the keys of SORT and THREAD', () => {
    const facts = scan(
      crlf(
        'Date: Mon, 1 Jan 2024 12:00:00 +0200\nSubject: Re: [list] =?utf-8?Q?caf=C3=A9?= (fwd)\nFrom: "A" <ann@a.example>\nTo: G: bob@b.example;\nMessage-ID: <2@a>\nReferences: <0@a>\n <1@a>\n\nHi',
      ),
    );
    expect(facts.sort).toEqual({
      sentDate: Date.UTC(2024, 0, 1, 10),
      subject: 'café',
      from: 'ann',
      to: 'G',
      cc: '',
    });
    expect(facts.thread).toEqual({ messageId: '2@a', references: ['0@a', '1@a'] });
  });
});

describe('preview', () => {
  const preview = (text: string) => scan(crlf(text)).preview;

  it('is the start of the first text that has words, white space collapsed', () => {
    expect(preview('\n\n a\n\n  b\tc \n')).toBe('a b c');
    expect(
      preview(
        'Content-Type: multipart/mixed; boundary=x\n\n--x\n\n \n--x\nContent-Type: text/html\n\n<style>p{}</style><p>Hello <b>you</b></p>\n--x--',
      ),
    ).toBe('Hello you');
  });

  it('is no attachment', () => {
    expect(preview('Content-Disposition: attachment\n\nfile')).toBe('');
  });

  it('is decoded, and cut at 200 characters without cutting one in two', () => {
    const text = Buffer.from('😀'.repeat(300)).toString('base64');
    const facts = scan(
      crlf(
        `Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n${text}\n`,
      ),
    );
    expect([...facts.preview]).toEqual(Array.from({ length: 200 }, () => '😀'));
  });
});

describe('limits', () => {
  const opaque = ['application', 'octet-stream'];
  const typeOf = (part: PartTree | undefined) => part && [part.type, part.subtype];
  const nested = (depth: number) =>
    crlf(
      Array.from(
        { length: depth },
        (_, i) => `Content-Type: multipart/mixed; boundary=b${i}\n\n--b${i}\n`,
      ).join('') + '\ndeep\n',
    );

  it('make parts that lie too deep one opaque part', () => {
    let part: PartTree | undefined = treeOf(nested(1000), { maxDepth: 5 });
    for (let depth = 1; depth < 5; depth++) part = part?.children?.[0];
    expect(typeOf(part)).toEqual(opaque);
    expect(part?.children).toBeUndefined();
  });

  it('make what follows too many parts one opaque part that reaches to the end', () => {
    const octets = crlf(
      `Content-Type: multipart/mixed; boundary=x\n\n${'--x\n\na\n'.repeat(20)}--x--\n`,
    );
    const tree = treeOf(octets, { maxParts: 5 });
    expect(tree.children).toHaveLength(4);
    expect(typeOf(tree.children?.[3])).toEqual(opaque);
    expect(tree.children?.[3]?.body.end).toBe(octets.length);
  });

  it('make a part with a too long header opaque, and keep what was read of it', () => {
    const octets = crlf(`Subject: early\nX: ${'x'.repeat(5000)}\nContent-Type: text/html\n\nbody`);
    const facts = scan(octets, { maxHeaderOctets: 1000 });
    const tree = decodeStructure(facts.structure);
    expect(typeOf(tree)).toEqual(opaque);
    expect(bodyOf(octets, tree)).toBe('body');
    expect(Buffer.from(facts.envelope).toString()).toContain('"early"');
  });

  it('cap addresses, parameters, long texts and the tree itself', () => {
    const many = Array.from({ length: 5000 }, (_, i) => `u${i}@example.org`).join(',\n ');
    const parameters = Array.from({ length: 500 }, (_, i) => `; p${i}=${'v'.repeat(20)}`).join(
      '\n ',
    );
    const octets = crlf(
      `To: ${many}\nSubject: ${'s'.repeat(50_000)}\nContent-Type: text/plain${parameters}\n\n`,
    );
    const facts = scan(octets, { maxAddresses: 10, maxParameters: 7, maxValueOctets: 100 });
    const envelope = parseImap(facts.envelope) as unknown[];
    expect(envelope[1]).toBe('s'.repeat(100));
    expect(envelope[5]).toHaveLength(10);
    expect(decodeStructure(facts.structure).parameters).toHaveLength(8); // and charset
    const parts = crlf(
      `Content-Type: multipart/mixed; boundary=x\n\n${`--x\nContent-ID: ${'i'.repeat(100)}\n\na\n`.repeat(500)}`,
    );
    expect(scan(parts, { maxStructureOctets: 1000 }).structure.length).toBeLessThan(1300);
  });

  it('cost a few MB for 100 MB and 100,000 parts, with time linear in the octets', () => {
    const run = (parts: number, options?: ScanOptions) => {
      const part = Buffer.from(
        `--x\r\nContent-Type: image/png\r\n\r\n${`${'A'.repeat(76)}\r\n`.repeat(12)}`,
      );
      const scanner = createScanner(options);
      scanner.write(crlf('Content-Type: multipart/mixed; boundary=x\n\n'));
      const before = process.memoryUsage();
      let peak = 0;
      const started = process.cpuUsage();
      for (let i = 0; i < parts; i++) {
        scanner.write(part);
        if (i % 1000 === 0) {
          const { heapUsed, external, arrayBuffers } = process.memoryUsage();
          peak = Math.max(
            peak,
            heapUsed +
              external +
              arrayBuffers -
              before.heapUsed -
              before.external -
              before.arrayBuffers,
          );
        }
      }
      const facts = scanner.finish();
      const { user, system } = process.cpuUsage(started);
      return { facts, peak, time: user + system, octets: parts * part.length };
    };
    run(2000);
    const all = { maxParts: 200_000 };
    const small = run(10_000, all);
    const large = run(100_000, all);
    expect(large.octets).toBeGreaterThan(95_000_000);
    expect(decodeStructure(large.facts.structure).children).toHaveLength(100_000);
    expect(large.facts.structure.length).toBeLessThan(4_000_000);
    // Garbage of the young generation is part of what is measured.
    expect(large.peak).toBeLessThan(64 * 1024 * 1024);
    // Ten times the octets; a quadratic scanner would need a hundred times the time.
    expect(large.time).toBeLessThan(small.time * 40);
    const limited = decodeStructure(run(100_000).facts.structure);
    expect(limited.children).toHaveLength(9999);
  }, 60_000);
});

describe('prependHeader', () => {
  it('gives what a scan of header and message together gives', async () => {
    const trace = crlf(
      'Return-Path: <a@b.example>\nReceived: from x\n by y; Mon, 1 Jan 2024 12:00:00 +0000\n',
    );
    for (const file of corpusFiles.filter((_, index) => index % 3 === 0)) {
      const octets = storedForm(file);
      // A continuation line at the very start would continue the trace field.
      if (octets[0] === 32 || octets[0] === 9) continue;
      const facts = await factsOf([octets]);
      const both = await factsOf([trace, octets]);
      const prepended = prependHeader(facts, trace);
      expect(prepended, file).toEqual(both);
      const before = decodeStructure(facts.structure);
      const after = decodeStructure(prepended.structure);
      expect(after.body.start).toBe(before.body.start + trace.length);
      expect(renderBodyStructure(after, true)).toEqual(renderBodyStructure(before, true));
    }
  });
});
