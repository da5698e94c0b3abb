/** All commands: those of RFC 5321, and what extensions add. */
import { extensions } from '../extensions/index.ts';
import type { Verb } from '../verb.ts';
import { data } from './data.ts';
import { ehlo, helo, lhlo } from './helo.ts';
import { mail } from './mail.ts';
import { expn, help, noop, quit, rset, vrfy } from './others.ts';
import { rcpt } from './rcpt.ts';

const own: readonly Verb[] = [
  ehlo,
  helo,
  lhlo,
  mail,
  rcpt,
  data,
  rset,
  noop,
  quit,
  vrfy,
  expn,
  help,
];

export const verbs: ReadonlyMap<string, Verb> = new Map(
  [...own, ...extensions.flatMap((extension) => extension.verbs ?? [])].map((verb) => [
    verb.name,
    verb,
  ]),
);
