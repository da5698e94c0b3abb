/**
 * A query as a test of documents of the index, with as little of a document as decides: first its signature, then its
 * header, then all of it. Gives what `decide` of package mime gives.
 */
import type { EmailId, Query } from '@mail-server-kit/core';
import { decide, wantedInField, wantedText, foldText } from '@mail-server-kit/mime';
import { hasField, isAscii, isWellFormed, oddText, textsFrom } from './document.ts';
import { mayHave, probesOf } from './signature.ts';

/** What is known of a document at the moment, or of all documents of a block. Undefined: not known. */
export interface Candidate {
  sentDay: number | null | undefined;
  emailId: string | undefined;
  /** Of its block; the same object for all that are in it. */
  signature: Uint8Array;
  odd: boolean;
  header: Buffer | undefined;
  rest: Buffer | undefined;
}

/** True, false, or undefined: more of the document has to be read. */
export type Test = (document: Candidate) => boolean | undefined;

export interface Compiled {
  readonly test: Test;
  /** Some of it is answered by the header alone, or by what the catalog says of each message. */
  readonly needsHeader: boolean;
  readonly needsRow: boolean;
}

export function compile(query: Query): Compiled {
  const leaves = [...leavesOf(query)];
  const texts = leaves.flatMap((leaf) =>
    'text' in leaf ? [leaf.text] : 'header' in leaf ? [leaf.contains] : [],
  );
  // Half of a surrogate pair is found in whole ones by strings, and by octets nowhere.
  const plain = texts.every(isWellFormed) ? testOf(query) : undefined;
  return {
    needsRow: leaves.some((leaf) => !('text' in leaf || 'header' in leaf)),
    needsHeader: leaves.some((leaf) => 'header' in leaf || ('text' in leaf && leaf.in === 'text')),
    test: (document) => {
      const { sentDay, emailId, header, rest, odd } = document;
      if (plain && (!odd || !header)) return plain(document);
      if (!rest || !header) return undefined;
      const text = odd ? oddText(rest) : asText(header, rest);
      return decide(query, { sentDay, emailId: emailId as EmailId, threadId: null, text });
    },
  };
}

export function* leavesOf(query: Query): Generator<Query> {
  if ('all' in query) for (const one of query.all) yield* leavesOf(one);
  else if ('any' in query) for (const one of query.any) yield* leavesOf(one);
  else if ('not' in query) yield* leavesOf(query.not);
  else yield query;
}

function testOf(query: Query): Test {
  if ('all' in query) return allOf(query.all.map(testOf));
  if ('any' in query) {
    const none = allOf(query.any.map((one) => opposite(testOf(one))));
    return opposite(none);
  }
  if ('not' in query) return opposite(testOf(query.not));
  if ('text' in query) return textTest(query.text, query.in === 'text');
  if ('header' in query) return headerTest(query);
  if ('emailId' in query) {
    return ({ emailId }) => (emailId === undefined ? undefined : emailId === query.emailId);
  }
  if ('threadId' in query) return () => false;
  return (document) => decide(query, { sentDay: document.sentDay });
}

const allOf =
  (tests: readonly Test[]): Test =>
  (document) => {
    let result: boolean | undefined = true;
    for (const test of tests) {
      const one = test(document);
      if (one === false) return false;
      if (one === undefined) result = undefined;
    }
    return result;
  };

const opposite =
  (test: Test): Test =>
  (document) => {
    const inner = test(document);
    return inner === undefined ? undefined : !inner;
  };

/** Asks each signature once. */
function asked(probes: Uint32Array): (signature: Uint8Array) => boolean {
  let last: Uint8Array | undefined;
  let answer = false;
  return (signature) => {
    if (signature !== last) answer = mayHave(probes, signature);
    last = signature;
    return answer;
  };
}

function textTest(text: string, everywhere: boolean): Test {
  const wanted = wantedText(text);
  if (wanted.inBody === '') return () => true;
  const inBody = Buffer.from(wanted.inBody);
  const inField = Buffer.from(wanted.inField);
  const same = wanted.inBody === wanted.inField;
  const mayBody = asked(probesOf(inBody));
  const mayField = same ? mayBody : asked(probesOf(inField));
  return ({ header, rest, signature }) => {
    if (rest && header) {
      if (!everywhere) return rest.indexOf(inBody, textsFrom(rest)) !== -1;
      if (same) return header.includes(inBody) || rest.includes(inBody);
      const from = textsFrom(rest);
      return (
        rest.indexOf(inBody, from) !== -1 ||
        header.includes(inField) ||
        rest.subarray(0, from).includes(inField)
      );
    }
    if (everywhere && header?.includes(inField)) return true;
    return mayBody(signature) || (everywhere && mayField(signature)) ? undefined : false;
  };
}

function headerTest({ header: name, contains }: { header: string; contains: string }): Test {
  const lower = name.toLowerCase();
  // Documents with other names are odd.
  if (!isAscii(lower)) return ({ odd }) => (odd ? undefined : false);
  const label = Buffer.from(`${foldText(lower)}: `);
  const wanted = Buffer.from(wantedInField(contains));
  const may = asked(Uint32Array.from([...probesOf(label), ...probesOf(wanted)]));
  return ({ header, signature }) => {
    if (header) return hasField(header, label, wanted);
    return may(signature) ? undefined : false;
  };
}

/** Back from octets: for the few questions that octets cannot answer. */
function asText(header: Buffer, rest: Buffer) {
  const from = textsFrom(rest);
  const split = (octets: Buffer) => octets.toString('latin1').split('\xff').slice(0, -1).map(utf8);
  const fields = (octets: Buffer) =>
    split(octets).map((field) => {
      const colon = field.indexOf(': ');
      return { name: field.slice(0, colon).toLowerCase(), value: field.slice(colon + 2) };
    });
  return {
    header: fields(header),
    partHeaders: fields(rest.subarray(0, from - 1)),
    body: split(rest.subarray(from)),
  };
}

const utf8 = (latin1: string) => Buffer.from(latin1, 'latin1').toString();
