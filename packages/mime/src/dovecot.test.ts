import { describe, expect, it } from 'vitest';
import { renderBodyStructure } from './body-structure.ts';
import {
  describeOctets,
  parseImap,
  references,
  storedForm,
  type Reference,
  hasCorpus,
} from './corpus.fixture.ts';
import { createScanner } from './scan.ts';
import { sectionOf, type SectionText } from './section.ts';
import { decodeStructure } from './structure.ts';

/**
 * Where we differ from Dovecot 2.3.19, and the sentence that makes ours right. Each file stands under every reason it
 * has; what differs is named, so that a new difference is noticed.
 */
const differences: readonly (readonly [
  sentence: string,
  files: Readonly<Record<string, string>>,
])[] = [
  [
    // Dovecot counts the line end between the close-delimiter of an inner multipart, or a header without body, and the
    // delimiter of the outer one as part of the inner one.
    'RFC 2046 section 5.1.1: "The CRLF preceding the boundary delimiter line is conceptually attached to the boundary"',
    {
      'enmime-mime-mixed-related.eml': '1.1, 2',
      'enmime-multi_recipient_dsn.eml': 'bodystructure, 3',
      'enmime-simple_dsn.eml': 'bodystructure, 3',
      'enmime-simple_dsn_with_html.eml': 'bodystructure, 3',
      'flanker-enclosed-broken-body.eml': 'bodystructure, 2, 2.TEXT',
      'flanker-enclosed.eml': 'bodystructure, 2, 2.TEXT',
      'flanker-mailgun-pic.eml': '1',
      'flanker-message-external-body.eml': '2',
      'flanker-multipart.eml': '2',
      'flanker-russian-attachment-yahoo.eml': '1',
      'mailmimeparser-m4008.eml': '1',
      'mime4j-boundary-name-clash.eml': '1',
      'mox-message-rfc822-multipart.eml': 'bodystructure, 1, 1.1, 3, 3.TEXT, 3.1',
      'sisimai-dos-lhost-x5-01.eml': 'bodystructure, 2, 2.TEXT',
      'stalwart-malformed-020.eml': '1',
      'stalwart-malformed-021.eml': '1',
      'stalwart-malformed-022.eml': 'bodystructure, 2',
      'stalwart-rfc-008.eml': 'bodystructure, 2',
      'stalwart-thirdparty-007.eml': 'bodystructure, 3, 3.TEXT',
      'stalwart-thirdparty-008.eml': '2.2',
    },
  ],
  [
    // Dovecot gives "" "" for what it cannot read, which is no type at all.
    'RFC 2045 section 5.2: "It is also recommend that this default be assumed when a syntactically invalid Content-Type header field is encountered."',
    {
      'cpython-msg_14.eml': 'bodystructure',
      'flanker-broken-ctype.eml': 'bodystructure',
      'mime4j-multi-digest.eml': 'bodystructure',
      'mimekit-missing-subtype.eml': 'bodystructure',
    },
  ],
  [
    // The type can be read; only its parameters cannot, or lack a semicolon.
    'RFC 2045 section 5.2: "... but the sender\'s intent might have been otherwise."',
    {
      'enmime-mime-blank-media-name.eml': 'bodystructure',
      'stalwart-malformed-017.eml': 'bodystructure, 1, 1.MIME',
    },
  ],
  [
    // Dovecot knows no `boundary*`, and finds no part.
    'RFC 2231 section 4: "Asterisks ("*") are reused to provide the indicator that language and character set information is present"',
    {
      'cpython-msg_33.eml': 'bodystructure, 1, 1.MIME',
    },
  ],
  [
    // Dovecot cuts an unquoted boundary at its first "=", takes the close-delimiter for another part and shows an empty one.
    'RFC 2046 section 5.1.1: "The boundary delimiter line following the last body part is a distinguished delimiter that indicates that no further body parts will follow."',
    {
      'rubymail-raw_email_bad_time.eml': 'bodystructure, 3, 3.MIME',
      'rubymail-raw_email_with_binary_encoded.eml': 'bodystructure, 2, 2.MIME',
      'rubymail-raw_email_with_illegal_boundary.eml': 'bodystructure, 3, 3.MIME',
    },
  ],
  [
    // Dovecot shows a fixed text for plain messages.
    'RFC 2045 section 6.1: "These values are not case sensitive"',
    {
      'mime4j-hdr-fakeout.eml': 'bodystructure',
    },
  ],
  [
    // Dovecot leaves the white space of a field that is folded right behind its colon.
    'RFC 5322 section 2.2.3: "Each header field should be treated in its unfolded form for further syntactic and semantic evaluation." (and msg-id has its CFWS outside)',
    {
      'mox-parse3.eml': 'envelope',
      'phpimap-issue-275-2.eml': 'envelope',
    },
  ],
  [
    // Dovecot shows an address without mailbox and domain.
    'RFC 5322 section 4.4: "obs-addr-list = *([CFWS] ",") address *("," [address / CFWS])"',
    {
      'rubymail-example11.eml': 'envelope',
    },
  ],
];

const explained = new Map<string, string[]>();
for (const [, files] of differences) {
  for (const [file, what] of Object.entries(files)) {
    explained.set(file, [...(explained.get(file) ?? []), ...what.split(', ')]);
  }
}

function compare(reference: Reference): string[] {
  const octets = storedForm(reference.file);
  const scanner = createScanner();
  scanner.write(octets);
  const facts = scanner.finish();
  const tree = decodeStructure(facts.structure);
  const wrong: string[] = [];
  const check = (what: string, ours: unknown, theirs: unknown) => {
    if (JSON.stringify(ours) !== JSON.stringify(theirs)) wrong.push(what);
  };
  const section = (path: readonly number[], what?: SectionText) => {
    const span = sectionOf(tree, path, what);
    return span && describeOctets(octets.subarray(span.start, span.end));
  };
  check('size', octets.length, reference.size);
  check('envelope', parseImap(facts.envelope), reference.envelope);
  check('bodystructure', parseImap(renderBodyStructure(tree, true)), reference.bodystructure);
  check('message', section([]), reference.message);
  check('header', section([], 'HEADER'), reference.header);
  check('text', section([], 'TEXT'), reference.text);
  for (const { section: name, mime, ...content } of reference.parts) {
    const what = /\.(HEADER|TEXT)$/.exec(name)?.[1] as SectionText | undefined;
    const path = name
      .split('.')
      .map(Number)
      .filter((number) => !Number.isNaN(number));
    check(name, section(path, what), content);
    if (mime) check(`${name}.MIME`, section(path, 'MIME'), mime);
  }
  return wrong;
}

describe.skipIf(!hasCorpus)('the messages of shared/mail', () => {
  it('are 447', () => expect(references).toHaveLength(447));

  it('have the ENVELOPE, BODYSTRUCTURE, sizes and sections that Dovecot gives them, except where an RFC disagrees', () => {
    const found: Record<string, string> = {};
    for (const reference of references) {
      const wrong = compare(reference);
      if (wrong.length > 0) found[reference.file] = wrong.join(', ');
    }
    const expected = Object.fromEntries(
      [...explained].map(([file, what]) => [file, what.join(', ')]),
    );
    expect(found).toEqual(expected);
  });
});
