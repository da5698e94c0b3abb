/** Where a section of FETCH BODY[...] lies in the message (RFC 9051 section 6.4.5.1). */
import type { PartTree, Span } from './structure.ts';

export type SectionText = 'HEADER' | 'TEXT' | 'MIME';

/**
 * `path` as in the section, from 1: `[4, 2]` is `4.2`, `[]` the whole message. Undefined: there is no such section.
 * HEADER and TEXT exist for the message itself and for message/rfc822 parts, MIME for every numbered part.
 */
export function sectionOf(
  tree: PartTree,
  path: readonly number[],
  what?: SectionText,
): Span | undefined {
  const part = partOf(tree, path);
  if (!part) return undefined;
  if (path.length === 0) {
    if (what === 'HEADER') return tree.header;
    if (what === 'TEXT') return tree.body;
    return what === 'MIME' ? undefined : { start: tree.header.start, end: tree.body.end };
  }
  if (what === undefined) return part.body;
  if (what === 'MIME') return part.header;
  const message = part.message?.part;
  if (!message) return undefined;
  return what === 'HEADER' ? message.header : message.body;
}

/**
 * The part that `path` names; the root for `[]`. "Every message has at least one part number": part 1 of a message that
 * is not a multipart is its body. A number behind a message/rfc822 counts the parts of that message.
 */
export function partOf(tree: PartTree, path: readonly number[]): PartTree | undefined {
  let part: PartTree | undefined = tree;
  let counted = partsOfMessage(tree);
  for (const number of path) {
    part = counted[number - 1];
    if (!part) return undefined;
    counted = part.children ?? (part.message ? partsOfMessage(part.message.part) : []);
  }
  return part;
}

const partsOfMessage = (root: PartTree): readonly PartTree[] => root.children ?? [root];
