/**
 * A conversation as a test: who says what, in which order, octet by octet.
 *
 *     const talk = transcript({ 1: connect(), 2: connect() });
 *     await talk`
 *       C1: a NOOP
 *       S1: a OK NOOP completed`;
 */
import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { turn } from './clock.ts';
import { Listener, visible } from './listener.ts';

/** A connection, or what makes one when the client first speaks or is listened to. */
export type TranscriptClient = Duplex | (() => Duplex | Promise<Duplex>);

export interface Transcript {
  /**
   * `C1: ` sends a line with CRLF as client 1; `S1: ` waits for exactly that line with CRLF; `C: ` and `S: ` if there is one
   * client. Indentation and empty lines mean nothing; backslashes are what they are. `${}` takes octets, text or numbers
   * as they are, line breaks included. At the end no client may have received more.
   * @throws AssertionError with what was said so far
   */
  (
    strings: TemplateStringsArray,
    ...values: readonly (Uint8Array | string | number)[]
  ): Promise<void>;
  /** Sends octets without CRLF: half a line, BDAT. `client`: its name, '' if it is the only one. */
  send(client: string, octets: Uint8Array | string): Promise<void>;
  /** Waits until the server has closed the connection, having said nothing more. */
  closed(client?: string): Promise<void>;
  /** Goes on over another stream on top of the connection: TLS after STARTTLS, COMPRESS. */
  swap(client: string, wrap: (stream: Duplex) => Duplex | Promise<Duplex>): Promise<void>;
}

interface Line {
  readonly by: 'C' | 'S';
  readonly client: string;
  readonly octets: Buffer;
}

const CRLF = Buffer.from('\r\n');
const speaker = /^([CS])([A-Za-z0-9]*):(?: |$)/;

/** `silence`: milliseconds without an octet from the server after which waiting ends. */
export function transcript(
  clients: TranscriptClient | Readonly<Record<string, TranscriptClient>>,
  { silence = 5000 }: { silence?: number } = {},
): Transcript {
  const named = isClient(clients) ? { '': clients } : clients;
  const listeners = new Map<string, Promise<Listener>>();
  const said: string[] = [];

  function listener(client: string): Promise<Listener> {
    const known = listeners.get(client);
    if (known) return known;
    const source = named[client];
    if (!source) {
      const prefixes = Object.keys(named).map((name) => `C${name}: S${name}:`);
      throw new TypeError(
        `the transcript has no C${client}: S${client}: but ${prefixes.join(', ')}`,
      );
    }
    const made = Promise.resolve(typeof source === 'function' ? source() : source).then(
      (stream) => new Listener(stream, silence),
    );
    listeners.set(client, made);
    return made;
  }
  // Streams that are there already may speak before anybody asks.
  for (const [client, source] of Object.entries(named))
    if (typeof source !== 'function') void listener(client);

  function fail(client: string, why: string, expected: Buffer, received: Buffer): never {
    const context = said.slice(-8).map((line) => `    ${line}`);
    throw new assert.AssertionError({
      message: [
        `transcript: ${why}`,
        ...context,
        ...visible(expected).map((line) => `  - S${client}: ${line}`),
        ...visible(received).map((line) => `  + S${client}: ${line}`),
        '  (- expected, + received)',
      ].join('\n'),
      actual: received.toString('latin1'),
      expected: expected.toString('latin1'),
      operator: 'transcript',
    });
  }

  async function expectLine(client: string, octets: Buffer): Promise<void> {
    const hears = await listener(client);
    const why = await hears.expect(octets);
    if (why) fail(client, why, octets, hears.received);
  }

  async function expectNothing(client: string, hears: Listener): Promise<void> {
    if (hears.received.length > 0)
      fail(client, 'received more than expected', Buffer.alloc(0), hears.received);
  }

  const talk = async (
    strings: TemplateStringsArray,
    ...values: readonly (Uint8Array | string | number)[]
  ) => {
    for (const { by, client, octets } of lines(strings, values)) {
      if (by === 'C') await (await listener(client)).send(octets);
      else await expectLine(client, octets);
      said.push(...visible(octets).map((line) => `${by}${client}: ${line}`));
    }
    await turn();
    for (const [client, hears] of listeners) await expectNothing(client, await hears);
  };

  return Object.assign(talk, {
    async send(client: string, octets: Uint8Array | string) {
      await (await listener(client)).send(Buffer.from(octets as Uint8Array));
    },
    async closed(client = '') {
      const hears = await listener(client);
      const why = await hears.expectEnd();
      if (why) fail(client, why, Buffer.alloc(0), hears.received);
    },
    async swap(client: string, wrap: (stream: Duplex) => Duplex | Promise<Duplex>) {
      const hears = await listener(client);
      await expectNothing(client, hears);
      const wrapped = Promise.resolve(wrap(hears.release())).then(
        (stream) => new Listener(stream, silence),
      );
      listeners.set(client, wrapped);
      await wrapped;
    },
  });
}

function isClient(
  clients: TranscriptClient | Readonly<Record<string, TranscriptClient>>,
): clients is TranscriptClient {
  return typeof clients === 'function' || typeof (clients as Duplex).pipe === 'function';
}

/** What is between the backticks as lines; line breaks count only in the template itself, not in values. */
function lines(
  strings: TemplateStringsArray,
  values: readonly (Uint8Array | string | number)[],
): Line[] {
  const found: Line[] = [];
  let parts: Buffer[] = [];
  let who: RegExpExecArray | null = null;

  function endLine(): void {
    if (who) {
      found.push({
        by: who[1] as 'C' | 'S',
        client: who[2] as string,
        octets: Buffer.concat([...parts, CRLF]),
      });
    } else if (parts.length > 0) {
      throw new TypeError(
        `a line of a transcript begins with "C: " or "S: ", not ${JSON.stringify(String(parts[0]))}`,
      );
    }
    who = null;
    parts = [];
  }

  strings.raw.forEach((raw, index) => {
    // In a tagged template these two still need their backslash.
    raw
      .replace(/\\(`|\$)/g, '$1')
      .split('\n')
      .forEach((text, n) => {
        if (n > 0) endLine();
        let rest = text;
        if (!who && parts.length === 0) {
          rest = text.trimStart();
          who = speaker.exec(rest);
          if (who) rest = rest.slice(who[0].length);
        }
        if (rest !== '') parts.push(Buffer.from(rest));
      });
    if (index < values.length) {
      const value = values[index] as Uint8Array | string | number;
      parts.push(Buffer.from(typeof value === 'number' ? String(value) : (value as Uint8Array)));
    }
  });
  endLine();
  return found;
}
