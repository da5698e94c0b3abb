/** What the header of a part, a nested message or the message itself means for the scanner. */
import { ContentReader, opaqueContent, type Content, type ContentLimits } from './content.ts';
import { MAX_BOUNDARY } from './delimiter.ts';
import { EnvelopeReader, type EnvelopeLimits } from './envelope.ts';
import { fieldsOf } from './header.ts';
import { parameterValue } from './parameters.ts';
import { mediaType, type PartKind } from './structure.ts';

export interface PartHeader {
  readonly kind: PartKind;
  readonly content: Content;
  /** Of a multipart that has one. */
  readonly boundary: string | undefined;
  /** Of a message, nested or not. */
  readonly envelope: EnvelopeReader | undefined;
}

/** Of a part that is beyond a limit. */
export const opaqueHeader: PartHeader = {
  kind: 'leaf',
  content: opaqueContent,
  boundary: undefined,
  envelope: undefined,
};

export interface PartPlace {
  /** It is the header of a message, so ENVELOPE is wanted. */
  readonly isMessage: boolean;
  readonly inDigest: boolean;
  /** No parts are wanted within it. */
  readonly isDeepest: boolean;
  readonly isTooLong: boolean;
}

/** `header`: one character per octet. */
export function parsePartHeader(
  header: string,
  { isMessage, inDigest, isDeepest, isTooLong }: PartPlace,
  limits: ContentLimits & EnvelopeLimits,
): PartHeader {
  const reader = new ContentReader(limits, inDigest);
  const envelope = isMessage ? new EnvelopeReader(limits) : undefined;
  for (const field of fieldsOf(header)) {
    const name = field.name.toLowerCase();
    if (name.startsWith('content-')) reader.take(name, field);
    else envelope?.take(name, field.value);
  }
  const { content } = reader;
  const kind = kindOf(content);
  if (isTooLong || (kind !== 'leaf' && isDeepest)) return { ...opaqueHeader, envelope };
  return {
    kind,
    content,
    boundary: kind === 'multipart' ? boundaryOf(content) : undefined,
    envelope,
  };
}

function kindOf(content: Content): PartKind {
  const type = mediaType(content);
  if (type.startsWith('multipart/')) return 'multipart';
  return type === 'message/rfc822' || type === 'message/global' ? 'message' : 'leaf';
}

/** Compared octet by octet, so the plain form is not decoded. */
function boundaryOf({ parameters }: Content): string | undefined {
  const plain = parameters.find(([name]) => name.toLowerCase() === 'boundary');
  const boundary = plain ? plain[1] : parameterValue(parameters, 'boundary');
  return boundary?.slice(0, MAX_BOUNDARY) || undefined;
}
