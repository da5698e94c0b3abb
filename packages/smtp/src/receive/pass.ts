/**
 * The one pass over the octets of a message: line ends checked, size and hops counted, MIME structure scanned; and on to
 * the store.
 */
import { createScanner } from '@mail-server-kit/mime';
import type { Facts } from '@mail-server-kit/core';
import type { Body } from './body.ts';
import { HeaderWatch } from './header.ts';
import { createLineEnds } from './line-ends.ts';
import { Refused, reply } from './reply.ts';
import type { Settings } from './settings.ts';
import type { Upload } from './uploads.ts';

export interface Pass {
  /** The octets to be stored. @throws Refused, and what ended the body */
  octets(body: Body): AsyncGenerator<Buffer, void, undefined>;
  /** After the end. */
  facts(): Facts;
}

export function tooBig(limit: number) {
  return reply(552, '5.3.4', `The message is too big, the limit is ${limit} octets`);
}

export interface PassOptions {
  readonly settings: Settings;
  readonly upload: Upload;
  /** Fields to put in front, known once the header has passed. */
  readonly addition: ((header: HeaderWatch) => string) | undefined;
}

export function createPass({ settings, upload, addition }: PassOptions): Pass {
  const { maxMessageOctets, limits } = settings;
  const header = new HeaderWatch();
  const lineEnds = createLineEnds(settings.bareLineEnds);
  const scanner = createScanner();
  let size = 0;
  /** The header, while it is not known what is to stand in front of it. */
  let held: Buffer[] | undefined = [];
  const isKnown = () => header.over || (addition === undefined && header.fields > 0);

  function look(octets: Buffer): void {
    size += octets.length;
    if (size > maxMessageOctets) throw new Refused(tooBig(maxMessageOctets));
    upload.add(octets.length);
    if (header.over) return;
    header.feed(octets);
    if (header.count.received > limits.hops) {
      throw new Refused(reply(554, '5.4.6', `Mail loop: more than ${limits.hops} Received fields`));
    }
  }

  /**
   * With what is to stand in front. `hello` and nothing else is no message of RFC 5322, but some send it: without an empty
   * line our trace fields and the text would be one header, and readers would see no text.
   */
  function release(): Buffer {
    const front = (addition?.(header) ?? '') + (header.isMissing ? '\r\n' : '');
    const octets = front === '' ? (held ?? []) : [Buffer.from(front), ...(held ?? [])];
    held = undefined;
    return octets.length === 1 ? (octets[0] as Buffer) : Buffer.concat(octets);
  }

  function take(octets: Buffer): Buffer {
    scanner.write(octets);
    return octets;
  }

  return {
    async *octets(body) {
      for await (const chunk of body) {
        const octets = lineEnds.pass(chunk);
        if (octets.length === 0) continue;
        look(octets);
        if (held === undefined) {
          yield take(octets);
          continue;
        }
        held.push(octets);
        if (isKnown()) yield take(release());
      }
      const last = lineEnds.end();
      if (last !== undefined) look(last);
      const rest = Buffer.concat([
        held === undefined ? Buffer.alloc(0) : release(),
        last ?? Buffer.alloc(0),
      ]);
      if (rest.length > 0) yield take(rest);
    },
    facts: () => scanner.finish(),
  };
}
