/** All extensions, in the order in which CAPABILITY names them. */
import type { Extension } from '../extension.ts';
import { binary } from './binary.ts';
import { condstore } from './condstore.ts';
import { idExtension } from './id.ts';
import { idleExtension } from './idle.ts';
import { early, late } from './names.ts';
import { specialUse } from './special-use.ts';
import { utf8Accept } from './utf8-accept.ts';

export const allExtensions: readonly Extension[] = [
  early,
  idExtension,
  idleExtension,
  late,
  specialUse,
  binary,
  condstore,
  utf8Accept,
];
