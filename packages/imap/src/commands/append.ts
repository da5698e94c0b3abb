/**
 * APPEND (RFC 9051 section 6.3.12). The message goes to the store as it comes, whatever its size; what can be refused
 * without having it is refused before the client sends it. The forms of RFC 3502 (several messages) and RFC 4466 (other
 * data than a literal) have their place in the grammar.
 */
import {
  MailError,
  type Facts,
  type MailboxInfo,
  type NewMessage,
  type Stage,
} from '@mail-server-kit/core';
import { createLineEndNormalizer, createScanner } from '@mail-server-kit/mime';
import { command } from '../command.ts';
import type { AppendData } from '../extension.ts';
import { destination } from '../mailboxes.ts';
import { bad, no } from '../outcome.ts';
import type { Session } from '../session.ts';
import type { Upload } from '../upload.ts';
import type { DateTime } from '../wire/date.ts';
import { Problem } from '../wire/problem.ts';
import type { Reader } from '../wire/reader.ts';

/** What stands before a message. */
interface Head {
  readonly flags: readonly string[];
  readonly date: DateTime | undefined;
  readonly data: AppendData | undefined;
}

export const append = command({
  name: 'APPEND',
  state: 'authenticated',
  streams: true,
  overlaps: true,

  parse(read, { dialect }) {
    const mailbox = read.mailbox();
    read.sp();
    return { mailbox, head: readHead(read, dialect.appendData) };
  },

  async run({ session, args, upload }) {
    if (!upload) throw new Problem('A message is missing');
    const to = await destination(session, args.mailbox);
    await checkRoom(session, upload, args.head);
    const message = await take(session, upload, args.head);
    try {
      const { read, next } = await upload.after();
      if (args.head.data) for (const character of args.head.data.close) read.expect(character);
      if (next) throw bad('One message at a time');
      read.end();
    } catch (error) {
      await session.store.discard(message.stage.stage);
      throw error;
    }
    return { later: commit(session, to, message), octets: message.stage.size };
  },
});

async function commit(
  { store, view }: Session<'authenticated'>,
  to: MailboxInfo,
  { stage, value }: Taken,
): Promise<string> {
  try {
    const { results } = await store.commit([{ op: 'append', mailbox: to.id, ...value }]);
    view?.touch();
    return code(to, results[0]?.uid);
  } catch (error) {
    await store.discard(stage.stage);
    throw error;
  }
}

function code(to: MailboxInfo, uid: number | undefined): string {
  return `[APPENDUID ${to.uidValidity} ${uid}] APPEND completed`;
}

function readHead(read: Reader, forms: ReadonlyMap<string, AppendData>): Head {
  let flags: readonly string[] = [];
  if (read.next === '(') {
    flags = read.flagList();
    read.sp();
  }
  let date: DateTime | undefined;
  if (read.next === '"') {
    date = read.dateTime();
    read.sp();
  }
  if (read.atEnd) return { flags, date, data: undefined };
  const data = forms.get(read.name('a message'));
  if (!data) throw read.problem('a message');
  for (const character of data.open) read.expect(character);
  read.end();
  return { flags, date, data };
}

/** Refuses what cannot be stored before the client has sent it: a synchronizing literal gets no go-ahead. */
async function checkRoom(
  session: Session<'authenticated'>,
  upload: Upload,
  head: Head,
): Promise<void> {
  const { store, account, wiring } = session;
  head.data?.check?.(session);
  if (upload.size > wiring.limits.appendOctets) throw tooBig();
  const { used, limits } = await store.usage(account.id);
  if (upload.size > (limits.messageOctets ?? Infinity)) throw tooBig();
  if (
    used.octets + upload.size > (limits.octets ?? Infinity) ||
    used.messages >= (limits.messages ?? Infinity)
  ) {
    throw new MailError('OVERQUOTA', 'There is not enough room for the message');
  }
}

function tooBig(): MailError {
  return new MailError('TOOBIG', 'The message is too large');
}

interface Taken {
  readonly stage: Stage;
  readonly value: NewMessage;
}

/** Stages the message and finds out its facts in one pass. */
async function take(
  { store, account, wiring }: Session<'authenticated'>,
  upload: Upload,
  head: Head,
): Promise<Taken> {
  if (upload.size === 0) throw no(undefined, 'The message is empty');
  const scanner = createScanner();
  const octets = upload.eight ? upload.octets() : normalized(upload.octets());
  const scanned = async function* (): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of octets) {
      scanner.write(chunk);
      yield chunk;
    }
  };
  // Bare LF becomes CRLF, so it may grow to twice its size.
  const limit = wiring.limits.appendOctets * 2;
  const stage = await store.stage(scanned(), {
    sizeHint: upload.size,
    limit,
    owner: account.id,
  });
  const facts: Facts = scanner.finish();
  return {
    stage,
    value: {
      content: [{ stage: stage.stage }],
      facts,
      flags: head.flags,
      internalDate: head.date?.time ?? wiring.clock.now(),
      internalZone: head.date?.zone ?? 0,
    },
  };
}

/** Mail at rest has CRLF only: curl sends a file as it is, and signatures are over CRLF. */
async function* normalized(octets: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const lineEnds = createLineEndNormalizer();
  for await (const chunk of octets) {
    const made = lineEnds.write(chunk);
    if (made.length > 0) yield made;
  }
  const last = lineEnds.finish();
  if (last.length > 0) yield last;
}
