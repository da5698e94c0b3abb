/** The list of extensions, in the order of the EHLO reply. */
import type { Extension, NewEnvelope, NewRecipient, TakeParameter } from '../verb.ts';
import { auth } from './auth.ts';
import { chunking } from './chunking.ts';
import { dsn } from './dsn.ts';
import { eightBitMime } from './eight-bit-mime.ts';
import { enhancedStatusCodes } from './enhanced-status-codes.ts';
import { pipelining } from './pipelining.ts';
import { size } from './size.ts';
import { smtpUtf8 } from './smtp-utf8.ts';
import { starttls } from './starttls.ts';

export const extensions: readonly Extension[] = [
  pipelining,
  size,
  starttls,
  auth,
  enhancedStatusCodes,
  eightBitMime,
  smtpUtf8,
  dsn,
  chunking,
];

export const mailParameters: ReadonlyMap<string, TakeParameter<NewEnvelope>> = new Map(
  extensions.flatMap((extension) => Object.entries(extension.mail ?? {})),
);

export const rcptParameters: ReadonlyMap<string, TakeParameter<NewRecipient>> = new Map(
  extensions.flatMap((extension) => Object.entries(extension.rcpt ?? {})),
);
