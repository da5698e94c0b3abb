/** BODY and BODYSTRUCTURE (RFC 9051 section 7.5.2, grammar in section 9: `body`). */
import { imapNString, imapString } from './imap-strings.ts';
import type { Parameter } from './parameters.ts';
import { mediaType, type PartTree } from './structure.ts';

/**
 * Ready bytes: BODYSTRUCTURE if `extended`, else BODY. Texts with octets above 127 come as literals.
 */
export function renderBodyStructure(tree: PartTree, extended: boolean): Uint8Array {
  return Buffer.from(render(tree, extended), 'latin1');
}

function render(part: PartTree, extended: boolean): string {
  return `(${part.children ? multipart(part, part.children, extended) : single(part, extended)})`;
}

function multipart(part: PartTree, children: readonly PartTree[], extended: boolean): string {
  let text = children.map((child) => render(child, extended)).join('');
  text += ` ${imapString(part.subtype)}`;
  if (extended) text += ` ${parameters(part.parameters)} ${shared(part)}`;
  return text;
}

function single(part: PartTree, extended: boolean): string {
  const { type, subtype, id, description, encoding = '7bit', message } = part;
  // `media-message` is a keyword and not any string, so some clients compare it with letter case.
  const name = message ? mediaType(part).split('/') : [type, subtype];
  let text = `${name.map(imapString).join(' ')} ${parameters(part.parameters)}`;
  text += ` ${imapNString(id)} ${imapNString(description)} ${imapString(encoding)}`;
  text += ` ${part.body.end - part.body.start}`;
  if (message) {
    text += ` ${Buffer.from(message.envelope).toString('latin1')} ${render(message.part, extended)} ${part.lines}`;
  } else if (mediaType(part).startsWith('text/')) text += ` ${part.lines}`;
  if (extended) text += ` ${imapNString(part.md5)} ${shared(part)}`;
  return text;
}

/** Disposition, language, location: the extension data that all parts have. */
function shared({ disposition, language, location }: PartTree): string {
  const shown = disposition
    ? `(${imapString(disposition.type)} ${parameters(disposition.parameters)})`
    : 'NIL';
  const tags = language ? `(${language.map(imapString).join(' ')})` : 'NIL';
  return `${shown} ${tags} ${imapNString(location)}`;
}

function parameters(list: readonly Parameter[]): string {
  if (list.length === 0) return 'NIL';
  return `(${list.map(([name, value]) => `${imapString(name)} ${imapString(value)}`).join(' ')})`;
}
