import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { turn } from '@mail-server-kit/core/testing';
import { Body } from './body.ts';
import { Input } from './input.ts';

/** A session that knows DATA, BDAT and nothing, and takes its time now and then: what it understood. */
function listen({ slow }: { slow: boolean }) {
  const heard: string[] = [];
  let body: Body | undefined;
  let reading = Promise.resolve();
  const later = (callback: () => void) => (slow ? setTimeout(callback, 1) : callback());
  const read = async (from: Body) => {
    const parts: Buffer[] = [];
    for await (const part of from) {
      parts.push(Buffer.from(part));
      if (slow) await turn();
    }
    heard.push(`message ${Buffer.concat(parts).toString('latin1')}`);
  };
  const input: Input = new Input({
    maxLine: 20,
    line(line, end, done) {
      const text = line.toString('latin1');
      heard.push(`${text} (${end})`);
      later(() => {
        if (text === 'DATA') {
          body = new Body();
          reading = read(body);
          input.readData(body);
        } else if (text.startsWith('BDAT ')) {
          body = new Body();
          reading = read(body);
          input.readChunk(Number(text.slice(5)), body);
        }
        done();
      });
    },
    tooLong(done) {
      heard.push('too long');
      later(done);
    },
    ended(done) {
      body?.end();
      void reading.then(done);
    },
  });
  return { input, heard };
}

async function hear(chunks: readonly Buffer[], slow: boolean): Promise<string[]> {
  const { input, heard } = listen({ slow });
  for (const chunk of chunks) input.write(chunk);
  await new Promise<void>((resolve) => input.end(resolve));
  await turn();
  return heard;
}

describe('input', () => {
  it('is what the last command made it', async () => {
    const sent =
      'NOOP\r\nDATA\r\nhi\r\n..\r\n.\r\nBDAT 6\r\nNOOP\r\nlf\nBDAT 0\r\nQUIT\r\nunfinished';
    const wanted = [
      'NOOP (crlf)',
      'DATA (crlf)',
      'message hi\r\n.\r\n',
      'BDAT 6 (crlf)',
      'message NOOP\r\n',
      'lf (lf)',
      'BDAT 0 (crlf)',
      'message ',
      'QUIT (crlf)',
    ];
    expect(await hear([Buffer.from(sent)], false)).toEqual(wanted);
    // Chunks that wait while a command takes its time are not forgotten.
    expect(
      await hear(
        [...sent].map((char) => Buffer.from(char)),
        true,
      ),
    ).toEqual(wanted);
  });

  it('is the same however it is packed, and however long commands take', async () => {
    const piece = fc.constantFrom(
      'NOOP\r\n',
      'DATA\r\n',
      '.\r\n',
      'BDAT 3\r\n',
      'BDAT 0\r\n',
      'abc',
      '\r\n',
      '\n',
      '\r',
      'x'.repeat(25),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        async (pieces, cuts) => {
          const octets = Buffer.from(pieces.join(''));
          const at = [
            0,
            ...cuts.map((cut) => cut % (octets.length + 1)).sort((a, b) => a - b),
            octets.length,
          ];
          const chunks = at
            .slice(1)
            .map((end, index) => octets.subarray(at[index], end))
            .filter((chunk) => chunk.length > 0);
          const whole = await hear(octets.length > 0 ? [octets] : [], false);
          expect(await hear(chunks, false)).toEqual(whole);
          expect(await hear(chunks, true)).toEqual(whole);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('waits for a reader that is slow, and holds no more than a little meanwhile', async () => {
    const { input, heard } = listen({ slow: true });
    input.write('BDAT 2000000\r\n');
    let written = 0;
    for (let i = 0; i < 200; i++) {
      if (!input.write(Buffer.alloc(10_000, 'x'))) {
        expect(input.writableLength).toBeLessThan(100_000);
        await new Promise((resolve) => input.once('drain', resolve));
      }
      written += 10_000;
    }
    await new Promise<void>((resolve) => input.end(resolve));
    await turn();
    while (heard.length < 2) await turn();
    expect(heard[1]).toHaveLength(written + 'message '.length);
  });

  it('of nothing but dots reaches the reader in one piece, not in thousands', async () => {
    const body = new Body();
    const input: Input = new Input({
      maxLine: 20,
      line(_line, _end, done) {
        input.readData(body);
        done();
      },
      tooLong: (done) => done(),
      ended: (done) => done(),
    });
    input.end(`DATA\r\n${'..\r\n'.repeat(10_000)}.\r\n`);
    const pieces: Buffer[] = [];
    for await (const piece of body) pieces.push(piece);
    expect(pieces.map(({ length }) => length)).toEqual([30_000]);
  });
});
