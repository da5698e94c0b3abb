/** The forms of what the tables hold: commands, and extensions that add commands and parameters. */
import type { Recipient, Envelope } from '@mail-server-kit/core';
import { reply, type Reply } from './reply.ts';
import type { Session } from './session.ts';

export interface Verb {
  /** In capitals. */
  readonly name: string;
  /**
   * `argument`: what follows the verb and a space. The reply is sent; a command that has more to say sends by
   * `session.wire` and returns the last one, or nothing.
   */
  run(session: Session, argument: string): Reply | undefined | Promise<Reply | undefined>;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
export type NewEnvelope = Mutable<Omit<Envelope, 'recipients'>>;
export type NewRecipient = Mutable<Recipient>;

/** Puts the value into `into`, or says what is wrong with it. */
export type TakeParameter<Into> = (
  value: string | undefined,
  into: Into,
  session: Session,
) => Reply | undefined;

/** An SMTP service extension (RFC 5321 section 2.2). */
export interface Extension {
  /** In capitals. */
  readonly keyword: string;
  /** Its line of the EHLO reply; undefined where it is not offered. */
  announce(session: Session): string | undefined;
  readonly verbs?: readonly Verb[];
  /** Parameters of MAIL and of RCPT, by keyword in capitals. */
  readonly mail?: Readonly<Record<string, TakeParameter<NewEnvelope>>>;
  readonly rcpt?: Readonly<Record<string, TakeParameter<NewRecipient>>>;
}

export const badSequence = (text: string): Reply => reply(503, '5.5.1', text);
export const badArgument = (text: string): Reply => reply(501, '5.5.4', text);

/** The RFC gives these no argument; who sends one means something else. */
export function noArgument(name: string, argument: string): Reply | undefined {
  return argument === '' ? undefined : badArgument(`${name} takes no argument`);
}
