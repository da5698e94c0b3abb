export { createScanner, FACTS_VERSION, type Scanner, type ScanOptions } from './scan.ts';
export { factsOf, prependHeader } from './facts.ts';
export { decodeStructure, mediaType, rootHeader, type PartTree, type Span } from './structure.ts';
export type { Content, Disposition } from './content.ts';
export { renderBodyStructure } from './body-structure.ts';
export { partOf, sectionOf, type SectionText } from './section.ts';
export { collapse, fieldsOf, headerFields, unfold, type Field } from './header.ts';
export { parseAddresses, type EnvelopeAddress } from './address.ts';
export { parseParameters, parameterValue, type Parameter } from './parameters.ts';
export { decodeEncodedWords } from './encoded-words.ts';
export { decodeCharset } from './charset.ts';
export { parseDate, type DateTime } from './date.ts';
export { baseSubject, type BaseSubject } from './subject.ts';
export { parseMessageIds, referencesOf } from './message-id.ts';
export { imapNString, imapString } from './imap-strings.ts';
export {
  canDecode,
  createTransferDecoder,
  decodeTransferEncoding,
  type TransferDecoder,
} from './transfer-encoding.ts';
export { createLineEndNormalizer, type LineEndNormalizer } from './line-ends.ts';
export { htmlToText } from './html.ts';
export { FOLD_VERSION, foldText } from './fold.ts';
export {
  searchText,
  type SearchField,
  type SearchText,
  type SearchTextOptions,
} from './search-text.ts';
export {
  decide,
  matches,
  searchByReading,
  sentDay,
  wantedInField,
  wantedText,
  type Known,
  type Readable,
  type Wanted,
} from './search.ts';
